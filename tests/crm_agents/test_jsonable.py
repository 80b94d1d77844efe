import math

from crm_agents.jsonable import storable


def test_what_databases_refuse_is_taken_out() -> None:
    value = {"loss": math.nan, "text": "a\0b", "curve": [(1, math.inf), (2, 0.5)], "ok": True, "n": None}

    assert storable(value) == {
        "loss": None,
        "text": "ab",
        "curve": [[1, None], [2, 0.5]],
        "ok": True,
        "n": None,
    }
