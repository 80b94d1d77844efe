"""The whole run: what happened after the test cut-off changes no bit of what a run learns."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from handoff.config import TrainingConfig
from neural.training import train
from tests.neural.shop import CHURN, NEXT_PRODUCT, START, Row, event, shop_rows, write_dataset

TEST = 350  # days after the start
LEARNT = ("weights.safetensors", "calibration.json", "vocabulary.json")


def forged(rows: list[Row]) -> list[Row]:
    """Take away what some did in the test window, and let others come often and buy something new."""
    moment = START + timedelta(days=TEST)
    kept = [row for index, row in enumerate(rows) if row["at"] < moment or index % 3]
    late = [
        event(f"c{number:04d}", TEST + day + 0.5, "zz", basket=f"new{number}-{day}", amount=1e5)
        for number in range(0, 60, 2)
        for day in range(12)
    ]
    strangers = [event(f"a{number}", TEST + 3.5, "p00") for number in range(9)]  # in front of all others
    return [*kept, *late, *strangers, rows[-1]]


@pytest.mark.parametrize("base", [NEXT_PRODUCT, CHURN], ids=["next_product", "churn"])
def test_the_test_window_teaches_nothing(
    base: dict[str, Any], tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    last = event("c0000", 419, "p00", basket="last")
    honest = [*shop_rows(100), last]
    found = []
    for name, rows in (("honest", honest), ("forged", forged(honest))):
        dataset = write_dataset(tmp_path / name, rows)
        cutoff = (START + timedelta(days=TEST)).isoformat()
        run = tmp_path / f"{name}-run"
        configure(base, dataset=str(dataset.folder), test_cutoff=cutoff, dropout=0.2, batch_size=16).write(
            run
        )
        assert train(run).status == "succeeded"
        found.append({item: (run / "artifact" / item).read_bytes() for item in LEARNT})
    assert found[0] == found[1]
