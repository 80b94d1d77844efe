"""The live version on a newer one's window: what is asked, and that it cannot hurt the new version."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from crm_agents import tasks
from crm_agents.cards.comparing import side_by_side
from crm_agents.folders import again_file, artifact_folder, artifact_root, records_folder
from crm_agents.models import Agent, ModelVersion
from crm_agents.services import remeasuring
from crm_agents.services.comparing import compare, paired
from crm_agents.services.remeasuring import measure_live_again, send_for_measuring
from crm_agents.services.supervision import ChildStopped
from crm_data.models import Snapshot
from crm_data.selectors import snapshot_folder
from handoff.files import write_json
from tests.crm_agents_admin.compared import churn_examples, keep_examples
from tests.crm_agents_admin.support import AT, EVALUATION, make_version

EARLIER = {**EVALUATION, "windows": {"test": ["2011-05-01T00:00:00+00:00", "2011-07-30T00:00:00+00:00"]}}
WINDOW = EVALUATION["windows"]["test"]


@pytest.fixture
def snapshot(db: None) -> Snapshot:
    sizes = {"events": 1, "customers": 1, "products": 1, "shards": 1}
    return Snapshot.objects.create(folder="snapshots/one", sha256="a1" * 32, watermark=AT, **sizes)


@pytest.fixture
def live(snapshot: Snapshot) -> ModelVersion:
    """The live version, tested on an earlier window."""
    agent = Agent.objects.create(name="churn")
    version = make_version(agent, snapshot, number=1, evaluation=EARLIER)
    agent.live_version = version
    agent.save()
    return keep_examples(version, churn_examples(told=0.1, seed=5))


@pytest.fixture
def new(live: ModelVersion) -> ModelVersion:
    return keep_examples(make_version(live.agent, live.snapshot, number=2), churn_examples(told=0.6))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Let a stub take the test; return the command lines that it was given."""
    lines: list[list[str]] = []

    def child(arguments: Sequence[str], *, log: Path, watch: Callable[[], None]) -> int:
        lines.append(list(arguments))
        options = dict(zip(arguments[3::2], arguments[4::2], strict=True))
        churn_examples(told=0.2).write_parquet(Path(options["--examples"]) / "predictions.parquet")
        write_json(Path(options["--out"]), {"windows": {"test": WINDOW}})
        return 0

    monkeypatch.setattr(remeasuring, "run_child", child)
    return lines


def test_the_live_version_takes_the_new_ones_test(
    live: ModelVersion, new: ModelVersion, asked: list[list[str]]
) -> None:
    measure_live_again(new)

    place = again_file(live, new).parent
    assert place == records_folder(live) / "on-2"
    assert asked == [
        [
            *("evaluate", str(artifact_folder(live)), str(snapshot_folder(new.snapshot))),
            *("--root", str(artifact_root()), "--test-cutoff", WINDOW[0]),
            *("--out", str(place / "evaluation.json"), "--examples", str(place)),
        ]
    ]
    found = paired(new, live)
    assert (found.problem, found.again, found.customers) == ("", live, 400)
    low = found.differences["roc_auc"][1]
    assert low is not None
    assert low > 0
    notes = side_by_side([live, new], compare([live, new])).notes
    assert "For this churn v1 was measured again on the test window of churn v2" in notes[0]


def test_it_does_not_matter_which_of_the_two_is_the_reference(
    live: ModelVersion, new: ModelVersion, asked: list[list[str]]
) -> None:
    measure_live_again(new)

    back = paired(live, new)

    assert (back.problem, back.again) == ("", live)
    assert back.differences["brier"][0] == pytest.approx(-(paired(new, live).differences["brier"][0] or 0))


def test_on_one_window_nothing_is_measured_again(
    live: ModelVersion, new: ModelVersion, asked: list[list[str]]
) -> None:
    live.evaluation = EVALUATION
    live.save()
    new.refresh_from_db()
    measure_live_again(new)

    assert asked == []
    assert paired(new, live).again is None


def test_the_first_version_has_nobody_to_be_compared_with(
    live: ModelVersion, new: ModelVersion, asked: list[list[str]]
) -> None:
    agent = live.agent
    agent.live_version = None
    agent.save()
    new.refresh_from_db()
    measure_live_again(new)
    measure_live_again(live)

    assert asked == []
    assert paired(new, live).problem == "windows"


@pytest.mark.parametrize("ending", ["fails", "another window", "is stopped", "cannot start"])
def test_a_test_that_cannot_be_taken_leaves_nothing_and_hurts_nobody(
    live: ModelVersion, new: ModelVersion, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    def child(arguments: Sequence[str], **_values: Any) -> int:
        options = dict(zip(arguments[3::2], arguments[4::2], strict=True))
        if ending == "is stopped":
            raise ChildStopped
        if ending == "cannot start":
            raise OSError("no memory")
        write_json(Path(options["--out"]), {"windows": {"test": EARLIER["windows"]["test"]}})
        return 1 if ending == "fails" else 0

    monkeypatch.setattr(remeasuring, "run_child", child)
    measure_live_again(new)

    assert not again_file(live, new).is_file()
    assert paired(new, live).problem == "windows"
    new.refresh_from_db()
    assert new.verdict == "passed"


def test_what_a_worker_died_of_is_measured_by_another(
    live: ModelVersion, new: ModelVersion, asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, list[int]]] = []
    monkeypatch.setattr("celery.current_app.send_task", lambda name, args, expires: sent.append((name, args)))
    assert not send_for_measuring(live.agent)  # nothing was begun

    with monkeypatch.context() as patch:
        patch.setattr(remeasuring, "run_child", lambda *_, **__: sys.exit(9))
        with pytest.raises(SystemExit):
            measure_live_again(new)
    assert send_for_measuring(live.agent)
    tasks.measure_live_again(*sent[0][1])

    assert (paired(new, live).problem, len(asked)) == ("", 1)
    assert not send_for_measuring(live.agent)
    assert sent == [("crm_agents.tasks.measure_live_again", [new.pk])]
