"""Progress is followed line by line; an outcome is there whole or not at all."""

from pathlib import Path

import pytest
import time_machine

from handoff.progress import Outcome, Progress, ProgressReader, ProgressWriter


def steps(reader: ProgressReader) -> list[tuple[str, int]]:
    return [(line.phase, line.step) for line in reader.read()]


def test_lines_are_read_once_and_in_order(tmp_path: Path) -> None:
    writer, reader = ProgressWriter(tmp_path, interval=0), ProgressReader(tmp_path)
    assert steps(reader) == []

    writer.write("training", 1, 10)
    writer.write("training", 2, 10)
    assert steps(reader) == [("training", 1), ("training", 2)]
    writer.write("evaluating", 0, 1)
    assert steps(reader) == [("evaluating", 0)]
    assert steps(reader) == []


def test_a_half_written_line_waits_for_its_other_half(tmp_path: Path) -> None:
    ProgressWriter(tmp_path).write("training", 1, 10)
    path = tmp_path / "progress.jsonl"
    line = path.read_bytes()
    reader = ProgressReader(tmp_path)
    assert steps(reader) == [("training", 1)]

    with path.open("ab") as file:
        file.write(line[:20])
    assert steps(reader) == []
    with path.open("ab") as file:
        file.write(line[20:])
    assert steps(reader) == [("training", 1)]


def test_the_line_a_killed_attempt_left_half_written_is_passed_over(tmp_path: Path) -> None:
    ProgressWriter(tmp_path).write("training", 1, 10)
    path = tmp_path / "progress.jsonl"
    line = path.read_bytes()
    path.write_bytes(line + line[:20])
    late = ProgressReader(tmp_path)
    late.skip_to_end()

    ProgressWriter(tmp_path).write("training", 2, 10)

    assert steps(ProgressReader(tmp_path)) == [("training", 1), ("training", 2)]
    assert steps(late) == [("training", 2)]


def test_a_new_attempt_starts_after_what_an_earlier_one_wrote(tmp_path: Path) -> None:
    reader = ProgressReader(tmp_path)
    reader.skip_to_end()
    writer = ProgressWriter(tmp_path, interval=0)
    writer.write("training", 1, 10)
    late = ProgressReader(tmp_path)
    late.skip_to_end()
    writer.write("training", 2, 10)

    assert steps(reader) == [("training", 1), ("training", 2)]
    assert steps(late) == [("training", 2)]


def test_steps_in_quick_succession_are_thinned_but_never_the_last_one(tmp_path: Path) -> None:
    with time_machine.travel(1_000_000, tick=False) as clock:
        writer = ProgressWriter(tmp_path, interval=0.5)
        for step in range(1, 11):
            writer.write("training", step, 10)
            clock.shift(0.1)

    assert steps(ProgressReader(tmp_path)) == [("training", 1), ("training", 6), ("training", 10)]


def test_metrics_and_a_new_phase_are_never_thinned(tmp_path: Path) -> None:
    with time_machine.travel(1_000_000, tick=False):
        writer = ProgressWriter(tmp_path, interval=60)
        writer.write("pretraining", 1, 4)
        writer.write("pretraining", 2, 4)
        writer.write("pretraining", 3, 4, loss=0.5, metrics={"ndcg@10": 0.2})
        writer.write("training", 0, 4)

    lines = list(ProgressReader(tmp_path).read())
    assert [(line.phase, line.step, line.loss, line.metrics) for line in lines] == [
        ("pretraining", 1, None, {}),
        ("pretraining", 3, 0.5, {"ndcg@10": 0.2}),
        ("training", 0, None, {}),
    ]


def test_the_time_left_is_reckoned_from_the_phase_s_start(tmp_path: Path) -> None:
    with time_machine.travel(1_000_000, tick=False) as clock:
        writer = ProgressWriter(tmp_path)
        writer.write("training", 0, 10)
        clock.shift(4)
        writer.write("training", 2, 10)

    first, second = ProgressReader(tmp_path).read()
    assert first == Progress("training", 0, 10, at=1_000_000.0)
    assert (second.eta_seconds, second.at) == (16.0, 1_000_004.0)


def test_the_time_left_goes_by_the_pace_of_this_attempt_alone(tmp_path: Path) -> None:
    with time_machine.travel(1_000_000, tick=False) as clock:
        writer = ProgressWriter(tmp_path)
        writer.write("training", 77, 100)
        clock.shift(4)
        writer.write("training", 79, 100)
        clock.shift(1)
        writer.write("training", 100, 100)

    resumed, later, last = ProgressReader(tmp_path).read()
    assert (resumed.eta_seconds, later.eta_seconds, last.eta_seconds) == (None, 42.0, 0.0)


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome("succeeded"),
        Outcome("not_enough_data", "Too few.", ({"code": "purchases", "have": 100, "need": 500},)),
    ],
)
def test_an_outcome_comes_back(tmp_path: Path, outcome: Outcome) -> None:
    assert Outcome.read(tmp_path) is None
    outcome.write(tmp_path)
    assert Outcome.read(tmp_path) == outcome
