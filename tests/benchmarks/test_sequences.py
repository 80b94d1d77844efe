"""Leave-one-out as a cut-off in time."""

from pathlib import Path

import polars as pl
import pytest

from benchmarks.sequences import LAST, UnreadableFile, read_sequences, write_sequences
from handoff.dataset import Dataset

LINES = ["u1 a 30", "u1 b 10", "u2 a 1", "u1 c 20", "u1 d 40", "u2 b 2"]


@pytest.mark.parametrize("separator", [" ", "\t", ",", ", "])
def test_lines_come_in_the_order_of_time_and_short_users_are_left_out(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "file.txt"
    path.write_text("\n".join(["user item time", *LINES]).replace(" ", separator))
    assert read_sequences(path).rows() == [("u1", "b"), ("u1", "c"), ("u1", "a"), ("u1", "d")]


@pytest.mark.parametrize("text", ["", "u1\nu2\n", "u1 a\nu1 b 3\n", "u1 a now\nu1 b later\n"])
def test_a_file_that_is_no_list_of_interactions_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "file.txt").write_text(text)
    with pytest.raises(UnreadableFile, match="file.txt"):
        read_sequences(tmp_path / "file.txt")


def test_every_users_last_item_lies_behind_one_cut_off(tmp_path: Path) -> None:
    rows = pl.DataFrame({"user": ["u1"] * 4 + ["u2"] * 3, "item": list("abcdxyz")})
    days = {}
    for name, skip in (("kept", False), ("left out", True)):
        write_sequences(tmp_path / name, rows, skip_validation=skip)
        events = Dataset.open(tmp_path / name).events().collect()
        back = (LAST.date() - events["at"].dt.date()).dt.total_days()
        days[name] = {(item, day) for item, day in zip(events["product"], back, strict=True)}
    assert days["kept"] == {("a", 3), ("b", 2), ("c", 1), ("d", 0), ("x", 2), ("y", 1), ("z", 0)}
    assert days["left out"] == {("a", 2), ("b", 1), ("d", 0), ("x", 1), ("z", 0)}
