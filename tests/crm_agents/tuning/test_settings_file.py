import io
from pathlib import Path

import pytest
import yaml
from django.core.management import CommandError, call_command

from crm_agents.models import Agent, Purpose, Sweep, TrainingRun
from crm_agents.services.execution import execute_run
from crm_agents.services.tuning.sweeps import compare_backbones
from crm_agents.settings_file import all_settings, changed_settings, read_yaml, write_yaml
from handoff.errors import HandoffError
from tests.crm_agents.tuning.conftest import Stub, work
from tests.published import publish

pytestmark = pytest.mark.django_db(transaction=True)


def agent_command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("agent", *arguments, stdout=out)
    return out.getvalue()


def test_settings_written_and_read_again_change_nothing(churn: Agent) -> None:
    text = write_yaml(churn, all_settings(churn, {}))

    assert text.startswith("# manage.py agent train churn --config FILE\n")
    assert changed_settings(churn, read_yaml(text)) == {}
    assert "dataset" not in yaml.safe_load(text)


def test_only_what_differs_from_the_agent_is_kept(churn: Agent) -> None:
    churn.config = {"epochs": 4}
    churn.save()

    assert changed_settings(churn, read_yaml("epochs: 4\nwidth: 32\nbackbone: cnn\n")) == {
        "width": 32,
        "backbone": "cnn",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epohcs: 3", "Unknown setting epohcs; known are accumulate, "),
        ("epochs: many", "epochs is 'many', of the wrong type; it must be a whole number."),
        ("dataset: /etc", "dataset is set by the agent itself and cannot be overridden."),
        ("- epochs", "The YAML must map settings to values"),
        ("a: [", "This is not YAML: "),
        ("!!python/object/apply:os.system ['true']", "This is not YAML: could not determine a constructor"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(text: str, words: str) -> None:
    with pytest.raises(HandoffError) as refusal:
        read_yaml(text)
    assert words in str(refusal.value)


def test_an_empty_file_changes_nothing() -> None:
    assert read_yaml("# nothing\n") == {}


def test_the_command_writes_a_file_that_it_reads(churn: Agent, woken: list[str], tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(agent_command("config", "churn", "--set", "epochs=3"))
    agent_command("train", "churn", "--config", str(file), "--set", "width=32")

    assert TrainingRun.objects.get().config == {"epochs": 3, "width": 32}


def test_a_bad_file_is_named_and_starts_nothing(churn: Agent, woken: list[str], tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("epohcs: 3")
    with pytest.raises(CommandError, match=r"run\.yaml: Unknown setting epohcs"):
        agent_command("train", "churn", "--config", str(file))
    with pytest.raises(CommandError, match=r"nowhere\.yaml cannot be read"):
        agent_command("train", "churn", "--config", str(tmp_path / "nowhere.yaml"))

    assert (TrainingRun.objects.count(), woken) == (0, [])


def test_a_range_test_is_started_and_its_rate_told(
    agent: Agent, shop: None, woken: list[str], stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent_command("range-test", "recommender", "--set", "width=32")
    run = TrainingRun.objects.get()
    assert (run.purpose, run.config) == (Purpose.RANGE_TEST, {"width": 32})
    execute_run(run.pk)

    run.refresh_from_db()
    monkeypatch.setattr("crm_agents.management.actions.range_test.start_run", lambda *_, **__: run)
    assert agent_command("range-test", "recommender", "--wait").endswith("Suggested learning rate: 0.001\n")


def test_a_sweep_is_started_stopped_and_resumed(
    churn: Agent, woken: list[str], asked: list[str], tmp_path: Path
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text("dropout: {type: float, low: 0, high: 0.5}\n")
    agent_command("sweep", "churn", "--space", str(space), "--trials", "7", "--set", "epochs=3")

    sweep = Sweep.objects.get()
    assert (sweep.planned, sweep.config, sweep.pruner) == (7, {"epochs": 3}, "median")
    assert sweep.space == {"dropout": {"type": "float", "low": 0, "high": 0.5}}
    assert agent_command("sweep", "churn", "--stop") == (
        "The sweep is being stopped; its finished trials are kept.\n"
    )
    agent_command("sweep", "churn", "--resume")
    sweep.refresh_from_db()
    assert sweep.status == "running"
    with pytest.raises(CommandError, match="churn already has a sweep that goes on"):
        agent_command("sweep", "churn")


def test_values_are_compared_on_the_command_line(churn: Agent, asked: list[str]) -> None:
    agent_command("sweep", "churn", "--compare", "width=32,64")

    assert Sweep.objects.get().space == {"width": {"type": "choice", "values": [32, 64]}}
    with pytest.raises(CommandError, match="space names gpu, which cannot be searched"):
        agent_command("sweep", "churn", "--compare", "gpu=1,2")


def test_waiting_for_a_sweep_shows_each_trial_and_the_best(
    agent: Agent, shop: None, woken: list[str], stub: Stub, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = compare_backbones(agent)
    list(work(sweep))
    monkeypatch.setattr("crm_agents.management.actions.sweep.start_sweep", lambda *_, **__: sweep)
    lines = agent_command("sweep", "recommender", "--wait").splitlines()

    assert len(lines) == 6
    trials = [line.split("\t") for line in lines[1:-1]]
    assert (trials[0][:2], trials[0][3]) == (["0", "succeeded"], '{"backbone": "mf"}')
    values = [float(line[2].removeprefix("ndcg@10 ")) for line in trials]
    best = values.index(max(values))
    assert lines[-1] == f"Best: trial {best}\t{trials[best][3]}"


def test_a_version_is_a_start_and_becomes_the_parent(
    agent: Agent, shop: None, woken: list[str], stub: Stub
) -> None:
    first = publish("recommender", {}).live_version
    assert first is not None
    agent_command("train", "recommender", "--set", f'start="{first.pk}"')
    run = TrainingRun.objects.filter(status="queued").get()
    execute_run(run.pk)

    run.refresh_from_db()
    assert run.version.parent == first
    with pytest.raises(CommandError, match=r"start is '\.\./\.\.'; there is no such version"):
        agent_command("train", "recommender", "--set", "start=../..")
    with pytest.raises(CommandError, match="start is 'v99'; there is no such version"):
        agent_command("train", "recommender", "--set", "start=v99")
