"""What the tests of the agents' pages have in common."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Protocol

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission, User
from django.test import Client

from crm_agents.models import Agent, ModelVersion, RunStatus, TrainingRun
from crm_data.models import Snapshot

AT = datetime(2011, 9, 9, 12, 0, tzinfo=UTC)

EVALUATION: dict[str, Any] = {
    "windows": {
        "train": ["2010-01-01T00:00:00+00:00", "2011-03-13T00:00:00+00:00"],
        "validation": ["2011-03-13T00:00:00+00:00", "2011-06-11T00:00:00+00:00"],
        "test": ["2011-06-11T00:00:00+00:00", "2011-09-09T00:00:00+00:00"],
    },
    "counts": {"train": 9000, "validation": 4200, "test": 4300},
    "metrics": {
        "model": {"roc_auc": 0.7812, "brier": 0.1985},
        "baselines": {
            "recency_rule": {"roc_auc": 0.7071, "brier": 0.2241, "days": 74},
            "base_rate": {"roc_auc": 0.5, "brier": 0.246},
        },
    },
    "validation": {
        "model": {"roc_auc": 0.801, "brier": 0.17},
        "baselines": {"recency_rule": {"roc_auc": 0.749, "brier": 0.2}},
    },
    "curves": {
        "learning": [
            {"epoch": 1, "train_loss": 0.69, "validation": {"roc_auc": 0.71}},
            {"epoch": 2, "train_loss": 0.61, "validation": {"roc_auc": 0.78}},
            {"epoch": 3, "train_loss": 0.58, "validation": {"roc_auc": 0.801}},
        ],
        "calibration": [
            {"predicted": 0.1, "observed": 0.12, "count": 900},
            {"predicted": 0.5, "observed": 0.55, "count": 1800},
            {"predicted": 0.9, "observed": 0.86, "count": 1600},
        ],
        "roc": [[0.0, 0.0], [0.2, 0.62], [0.5, 0.87], [1.0, 1.0]],
        "pr": [[0.0, 0.95], [0.5, 0.81], [1.0, 0.56]],
        "histogram": [
            {"from": 0.0, "to": 0.5, "positives": 600, "negatives": 1400},
            {"from": 0.5, "to": 1.0, "positives": 1800, "negatives": 500},
        ],
        "confusion": {"tp": 1800, "fp": 500, "fn": 600, "tn": 1400, "threshold": 0.5},
    },
    "seconds": {"train": 61.0},
}


BEATEN: dict[str, Any] = {
    "metric": "roc_auc",
    "model": 0.7812,
    "sign": ">=",
    "required": 0.7212,
    "passed": True,
    "baseline": "recency_rule",
    "baseline_value": 0.7071,
}


def make_version(agent: Agent, snapshot: Snapshot, *, number: int, **values: Any) -> ModelVersion:
    done = TrainingRun.objects.create(
        agent=agent, snapshot=snapshot, status=RunStatus.SUCCEEDED, created_at=AT, config={"epochs": 6}
    )
    return ModelVersion.objects.create(
        **{
            "agent": agent,
            "number": number,
            "run": done,
            "artifact": f"{agent.name}/{number}",
            "artifact_sha256": "b2" * 32,
            "snapshot": snapshot,
            "evaluation": EVALUATION,
            "verdict": "passed",
            "verdict_reasons": [BEATEN],
            "created_at": AT,
            **values,
        }
    )


def staff(username: str, *codenames: str) -> User:
    """Make a member of staff with these permissions of crm_agents, and no others."""
    user = get_user_model().objects.create_user(username, is_staff=True)
    found = Permission.objects.filter(content_type__app_label="crm_agents", codename__in=codenames)
    assert found.count() == len(codenames)
    user.user_permissions.set(found)
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def write_artifact_config(root: Path, version: ModelVersion, text: str) -> None:
    folder = root / "artifacts" / version.artifact
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(text)


class Answer(Protocol):
    """Any answer of the test client."""

    @property
    def content(self) -> bytes: ...


class _Inline(HTMLParser):
    """Collects what a strict Content-Security-Policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(f"<{tag}>")
        self.found += [
            f"{name}={value}"
            for name, value in attrs
            if name == "style" or name.startswith("on") or (value or "").startswith("javascript:")
        ]


def inline_parts(answer: Answer) -> list[str]:
    """Return every inline script, style and event handler of a page."""
    parser = _Inline()
    parser.feed(answer.content.decode())
    return parser.found


def text_of(answer: Answer) -> str:
    """Return the page with every run of white space as one space."""
    return " ".join(answer.content.decode().split())
