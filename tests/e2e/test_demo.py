"""The newcomer's path: one command, a real worker, published scores, and nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from crm_demo.demo.process_tree import descendants
from tests.e2e.running import ROOT, Demo, own_environment, processes_of, wait_for_none

pytestmark = [pytest.mark.worker, pytest.mark.timeout(900)]

CUSTOMERS = "700"
AGENT_KEYS = {
    "status",
    "words",
    "published",
    "version",
    "verdict",
    "verdict_reasons",
    "gate",
    "counts",
    "windows",
    "metrics",
    "training_seconds",
    "scoring_seconds",
    "customers_scored",
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with own_environment(tmp_path_factory.mktemp("demo") / "var") as values:
        yield values


@pytest.fixture(scope="module")
def finished(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run `manage.py demo --exit` once for all tests of this module."""
    demo = Demo(environment, ["--exit", "--customers", CUSTOMERS])
    status = demo.process.wait(600)
    return subprocess.CompletedProcess([], status, stdout=demo.log.read_text())


@pytest.fixture(scope="module")
def report(finished: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """Return the JSON summary; a run that was held back adds one line on the error stream after it."""
    lines = finished.stdout.strip().splitlines()
    summary: dict[str, Any] = json.loads(next(line for line in reversed(lines) if line.startswith("{")))
    return summary


def test_the_summary_is_the_last_thing_on_standard_output(
    finished: "subprocess.CompletedProcess[str]", report: dict[str, Any]
) -> None:
    held_back = [name for name, agent in report["agents"].items() if not agent["published"]]
    last = finished.stdout.strip().splitlines()[-1]
    if held_back:
        assert (finished.returncode, last.startswith("CommandError: Not published: ")) == (3, True)
    else:
        assert (finished.returncode, json.loads(last)) == (0, report)


def test_the_summary_tells_counts_times_and_memory(report: dict[str, Any]) -> None:
    assert set(report) == {
        "url",
        "python",
        "data",
        "counts",
        "import",
        "snapshot",
        "seconds",
        "peak_memory_mb",
        "agents",
    }
    assert report["data"] == {"kind": "simulator", "customers": 700, "seed": 1}
    assert report["counts"]["customers"] == 700
    assert report["counts"]["interactions"] == report["snapshot"]["events"] > 10_000
    assert set(report["seconds"]) == {"prepare", "start", "train_and_publish", "total"}
    assert 0 < report["seconds"]["total"] < 600
    assert set(report["peak_memory_mb"]) == {"worker", "interactive", "web"}
    assert 30 < report["peak_memory_mb"]["web"] < 400
    assert report["import"] is None


@pytest.mark.parametrize(
    ("name", "metric", "baselines"),
    [
        ("churn", "roc_auc", {"recency_rule"}),
        ("recommender", "ndcg@10", {"personal_top", "item_knn", "popularity"}),
    ],
)
def test_each_agent_has_learnt_and_met_its_gate(
    report: dict[str, Any], name: str, metric: str, baselines: set[str]
) -> None:
    agent = report["agents"][name]
    assert set(agent) == AGENT_KEYS
    assert agent["status"] == "succeeded", agent["words"]
    assert agent["version"] == 1
    assert agent["gate"]["metric"] == metric
    assert baselines <= set(agent["gate"]["baselines"]) <= set(agent["metrics"]["baselines"])
    assert agent["gate"]["model"] == agent["metrics"]["model"][metric] > 0
    assert agent["published"] == (agent["verdict"] == "passed")
    assert (agent["customers_scored"] > 0) == agent["published"]
    assert agent["windows"]["train"][1] <= agent["windows"]["validation"][0] < agent["windows"]["test"][0]


def test_nothing_is_left_running(environment: dict[str, str], report: dict[str, Any]) -> None:
    assert wait_for_none(Path(environment["CRM_VAR"])) == []


def test_the_ground_truth_lies_beside(environment: dict[str, str], report: dict[str, Any]) -> None:
    truth = Path(environment["CRM_VAR"]) / "shop-truth"
    assert json.loads((truth / "shop.json").read_text())["rows"]["customers"] == 700
    assert (truth / "part-0000.parquet").is_file()


def test_a_second_start_keeps_the_data_and_ctrl_c_ends_everything(
    environment: dict[str, str], report: dict[str, Any]
) -> None:
    demo = Demo(environment, ["--customers", CUSTOMERS])
    demo.wait_until_up()
    with urlopen(f"{demo.url}/admin/login/") as page:  # noqa: S310  our own site
        assert page.status == 200
    assert set(demo.logins) == {"manager", "anna", "wei"}
    assert "The data of the last demo are still here" in demo.log.read_text()
    assert len(processes_of(Path(environment["CRM_VAR"]))) >= 5
    assert demo.interrupt() == 0
    assert wait_for_none(Path(environment["CRM_VAR"])) == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", demo.port)) != 0


def test_killing_the_demo_ends_everything(environment: dict[str, str], report: dict[str, Any]) -> None:
    demo = Demo(environment, ["--customers", CUSTOMERS])
    demo.wait_until_up()
    below = descendants(demo.process.pid)
    assert len(below) >= 4
    os.kill(demo.process.pid, signal.SIGKILL)
    demo.process.wait()
    assert wait_for_none(Path(environment["CRM_VAR"])) == []


def test_other_data_are_refused_and_left_alone(environment: dict[str, str], report: dict[str, Any]) -> None:
    demo = Demo(environment, ["--exit", "--customers", "800"])
    assert demo.process.wait(120) == 1
    assert "Add FRESH=1 to throw the old demo away" in demo.log.read_text()
    count = "from crm_data.models import Customer; print(Customer.objects.count())"
    shell = [sys.executable, "manage.py", "shell", "--no-imports", "-c", count]
    left = subprocess.run(shell, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert left.stdout.strip().splitlines()[-1] == "700"
