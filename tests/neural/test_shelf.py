"""What is kept in a folder comes back as it was, shared between readers, and never as code."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from handoff.errors import HandoffError
from neural.shelf import put, take


@dataclass(frozen=True)
class Inner:
    counts: np.ndarray[Any, Any]
    words: list[tuple[str, str]]


@dataclass(frozen=True)
class Outer:
    inner: Inner
    at: float
    days: int | None


class Plain:
    def __init__(self) -> None:
        self.until = np.inf
        self.sold = np.arange(6).reshape(2, 3)


def test_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    matrix = sparse.csr_array(np.array([[0, 2.5], [1.0, 0]], np.float32))
    table = pl.DataFrame({"key": ["a", None], "value": [1, 2]})
    value = {
        "outer": Outer(Inner(np.array([3, 1]), [("country", "法国")]), 20000.25, None),
        "similar": {19972.0: matrix},
        "plain": Plain(),
        "table": table,
        "series": table["key"],
        "empty": np.zeros((0, 4)),
        "nothing": sparse.csr_array((0, 0)),
        "flags": np.array([True, False]),
        "number": np.int64(7),
    }
    put(tmp_path / "kept", value)
    found = take(tmp_path / "kept", (Outer, Inner, Plain))
    assert list(found) == list(value)
    assert found["outer"].inner.counts.tolist() == [3, 1]
    assert found["outer"].inner.words == [("country", "法国")]
    assert (found["outer"].at, found["outer"].days) == (20000.25, None)
    assert found["similar"][19972.0].dtype == np.float32
    assert (found["similar"][19972.0].toarray() == matrix.toarray()).all()
    assert (found["plain"].until, found["plain"].sold.tolist()) == (np.inf, [[0, 1, 2], [3, 4, 5]])
    assert found["table"].equals(table)
    assert found["series"].to_list() == ["a", None]
    assert found["empty"].shape == (0, 4)
    assert found["nothing"].shape == (0, 0)
    assert found["flags"].tolist() == [True, False]
    assert found["number"] == 7


def test_arrays_are_shared_and_changes_stay_with_who_makes_them(tmp_path: Path) -> None:
    put(tmp_path / "kept", np.arange(5))
    found = take(tmp_path / "kept", ())
    assert isinstance(found.base, np.memmap)
    found[0] = 1
    assert take(tmp_path / "kept", ())[0] == 0


def test_an_object_of_a_class_that_nobody_named_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "kept", [Plain()])
    with pytest.raises(HandoffError, match="unknown class 'Plain'"):
        take(tmp_path / "kept", (Outer,))


@pytest.mark.parametrize("value", [{1, 2}, np.array([None, "a"], dtype=object), Plain])
def test_what_cannot_be_kept_is_refused(value: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="cannot be kept"):
        put(tmp_path / "kept", value)
