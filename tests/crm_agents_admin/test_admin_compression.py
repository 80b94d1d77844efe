"""Compressing a version from its page, and the table of what came of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from crm_agents.cards.compression import compression_rows
from crm_agents.models import ModelVersion, TrainingRun
from handoff.config import TrainingConfig
from tests.crm_agents_admin.support import text_of

LIST = "/admin/crm_agents/modelversion/"
ASKED = {"prune_channels": "0.5", "prune_heads": "0.5", "prune_layers": "0", "epochs": "4", "export": "int8"}


def page(version: ModelVersion) -> str:
    return f"{LIST}{version.pk}/compress/"


@pytest.fixture
def artifact(version: ModelVersion, agents_root: Path) -> Path:
    """The version's artifact, as far as starting a run reads it."""
    folder = agents_root / "artifacts" / version.artifact
    folder.mkdir(parents=True, exist_ok=True)
    config = TrainingConfig("spare", "churn", "", 30, width=32, layers=3, heads=4, max_visits=20)
    config.write(folder)
    return folder


def test_the_form_starts_a_run_from_the_version(boss: Client, version: ModelVersion, artifact: Path) -> None:
    answer = boss.post(page(version), ASKED)

    run = TrainingRun.objects.exclude(pk=version.run_id).get()
    assert answer.status_code == 302
    assert answer["Location"].endswith(f"/trainingrun/{run.pk}/change/")
    assert run.config == {
        "backbone": "transformer",
        "width": 32,
        "layers": 3,
        "heads": 4,
        "max_visits": 20,
        "dropout": 0.1,
        "horizon_days": 30,
        "active_days": 365,
        "prune_channels": 0.5,
        "prune_heads": 0.5,
        "prune_layers": 0,
        "epochs": 4,
        "export": "int8",
        "start": str(version.pk),
        "pretrain_epochs": 0,
    }
    assert run.publish is False


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"prune_channels": "1"}, "Units to remove is 1.0; choose less than 1."),
        ({"epochs": "0"}, "Recovery epochs is 0; choose at least 1."),
        (
            {"prune_channels": "0", "prune_heads": "0", "export": "fp32"},
            "Nothing would become smaller: remove something, or store fewer bits.",
        ),
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_is_started(
    boss: Client, version: ModelVersion, artifact: Path, changed: dict[str, Any], words: str
) -> None:
    answer = boss.post(page(version), {**ASKED, **changed})

    assert words in text_of(answer)
    assert list(TrainingRun.objects.all()) == [version.run]


def test_who_may_not_start_runs_may_not_compress(viewer: Client, version: ModelVersion) -> None:
    assert viewer.post(page(version), ASKED).status_code == 403
    assert list(TrainingRun.objects.all()) == [version.run]


def test_the_page_shows_before_and_after(viewer: Client, version: ModelVersion) -> None:
    part = {"layers": 2, "heads": 4, "units": 128, "parameters": 1000, "bytes": 4000, "ms": 20.0}
    before = {**part, "metrics": {"roc_auc": 0.8, "ece": 0.1}}
    after = {**part, "units": 64, "bytes": 1000, "ms": 15.0, "metrics": {"roc_auc": 0.79, "ece": 0.1}}
    compression = {"export": "int8", "before": before, "after": after}
    version.evaluation = {**version.evaluation, "compression": compression}
    version.save()

    rows = {row.label: (row.before, row.after, row.change) for row in compression_rows(version.evaluation)}
    assert rows["Units in a layer"] == ("128", "64", "-50.0 %")
    assert rows["Size of the weights (bytes)"] == ("4,000", "1,000", "-75.0 %")
    assert rows["ROC-AUC"] == ("0.8000", "0.7900", "-1.3 %")
    assert "Before and after compression" in text_of(viewer.get(f"{LIST}{version.pk}/change/"))
    assert json.dumps(version.evaluation)


def test_a_version_that_was_not_compressed_has_no_such_table(viewer: Client, version: ModelVersion) -> None:
    assert compression_rows(version.evaluation) == []
    assert "Before and after compression" not in text_of(viewer.get(f"{LIST}{version.pk}/change/"))
