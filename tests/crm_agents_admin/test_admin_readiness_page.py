"""The data page of an agent: findings in words, fields to leave out, cleaning, and who may do what."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crm_agents.models import Agent, AuditEntry, Purpose, RunStatus, TrainingRun
from crm_agents.services import waking
from crm_agents.services.runs import planned_config
from crm_data.models import Snapshot
from tests.crm_agents_admin.support import inline_parts, signed_in, staff, text_of

REPORT: dict[str, Any] = {
    "agent": "spare",
    "task": "churn",
    "watermark": "2011-12-10T00:00:00+00:00",
    "windows": {},
    "rows": 779_425,
    "customers": 5_878,
    "products": 4_619,
    "first": "2009-12-01T07:45:00+00:00",
    "last": "2011-12-09T12:50:00+00:00",
    "kinds": [
        {
            "kind": "purchase",
            "rows": 770_000,
            "first": "2009-12-01T07:45:00+00:00",
            "last": "2011-12-09T12:50:00+00:00",
            "outcome": True,
            "seen": True,
        }
    ],
    "nulls": [
        {"field": "events.amount", "rows": 770_000, "nulls": 12, "excluded": False},
        {"field": "attributes.country", "rows": 5_878, "nulls": 0, "excluded": False},
        {"field": "attributes.last_call", "rows": 5_878, "nulls": 2_939, "excluded": False},
    ],
    "duplicates": 34_335,
    "outliers": [
        {
            "field": "events.quantity",
            "rows": 770_000,
            "count": 9,
            "low": 1.0,
            "high": 4000.0,
            "worst": [80995.0],
        }
    ],
    "weeks": [["2011-01-03", 900], ["2011-01-10", 1100], ["2011-01-17", 0]],
    "balance": [
        {
            "window": "validation",
            "start": "2011-06-11T00:00:00+00:00",
            "stop": "2011-09-09T00:00:00+00:00",
            "count": 4_200,
            "positives": 1_680,
            "facts": {},
        }
    ],
    "minimum": [{"code": "customers", "have": 5_878, "need": 50}],
    "leakage": [
        {
            "field": "attributes.last_call",
            "auc": 0.9931,
            "presence_auc": 0.97,
            "filled_positives": 0.97,
            "filled_negatives": 0.01,
            "distinct": 40,
            "flagged": True,
            "excluded": False,
        }
    ],
    "findings": [
        {
            "code": "leak",
            "severity": "stop",
            "field": "attributes.last_call",
            "facts": {"auc": 0.9931, "low": 0.98, "count": 4200, "positives": 1680, "limit": 0.95},
            "remedy": "exclude_field",
        },
        {
            "code": "duplicates",
            "severity": "warn",
            "field": "",
            "facts": {"count": 34_335, "rows": 779_425, "share": 0.044},
            "remedy": "drop_duplicates",
        },
    ],
    "seconds": 2.13,
}
FORM = {"duplicates": "keep", "outliers": "keep", "quantile": "0.999"}


@pytest.fixture
def check(agent: Agent, snapshot: Snapshot) -> TrainingRun:
    """A data check that ended three hours ago."""
    at = timezone.now() - timedelta(hours=3)
    return TrainingRun.objects.create(
        agent=agent,
        snapshot=snapshot,
        purpose=Purpose.INSPECT,
        status=RunStatus.SUCCEEDED,
        created_at=at,
        finished_at=at,
        report=REPORT,
    )


@pytest.fixture
def chief(db: None) -> Client:
    """Signed in as a user who may look and change the agents' settings."""
    return signed_in(staff("chief", "view_scores", "manage_agents"))


def page(agent: Agent) -> str:
    return f"/admin/crm_agents/agent/{agent.pk}/data/"


def test_the_page_says_what_was_found_and_what_to_do(
    viewer: Client, agent: Agent, check: TrainingRun
) -> None:
    answer = viewer.get(page(agent))
    text = text_of(answer)
    for words in (
        "779,425 interactions of 5,878 customers, from Dec. 1, 2009 to Dec. 9, 2011.",
        "Checked 3 hours ago.",
        "It is based on a snapshot of Dec. 10, 2011 and took 2.10 s.",
        "last call alone tells the outcome with an AUC of 0.99: it may hold what happened afterwards.",
        "Leave the field out, unless it is known in time and tells something.",
        "34,335 of 779,425 interactions repeat another one in every column (4.4 %).",
        "the validation window",
        "40 %",
        "1 – 4,000",
        "80,995",
        "Outcomes a week",
    ):
        assert words in text, words
    assert text.index("must be solved") < text.index("look at this")
    assert inline_parts(answer) == []
    assert "Check the data" not in text
    assert "You do not have the permission to change this." in text


def test_the_agents_page_leads_there_and_says_how_it_stands(
    viewer: Client, agent: Agent, check: TrainingRun
) -> None:
    text = text_of(viewer.get(f"/admin/crm_agents/agent/{agent.pk}/change/"))
    assert f'<a href="{page(agent)}">Data</a>' in text
    assert "1 thing to solve" in text
    TrainingRun.objects.all().delete()
    assert "never checked" in text_of(viewer.get(f"/admin/crm_agents/agent/{agent.pk}/change/"))


def test_the_page_of_the_check_leads_to_what_it_found(
    viewer: Client, agent: Agent, check: TrainingRun
) -> None:
    text = text_of(
        signed_in(staff("runner", "manage_runs")).get(f"/admin/crm_agents/trainingrun/{check.pk}/change/")
    )
    assert f'<a href="{page(agent)}">1 thing to solve</a>' in text


def test_before_the_first_check_the_page_says_so(viewer: Client, agent: Agent) -> None:
    text = text_of(viewer.get(page(agent)))
    assert "The data were never checked." in text
    assert 'value="amount"' in text


def test_a_manager_starts_a_check(boss: Client, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "_publish", lambda *args: None)
    assert "Check the data" in text_of(boss.get(page(agent)))
    answer = boss.post(f"{page(agent)}check/")
    run = TrainingRun.objects.get()
    assert (run.purpose, run.status, run.publish) == (Purpose.INSPECT, RunStatus.QUEUED, False)
    assert answer["Location"].endswith(f"/trainingrun/{run.pk}/change/")
    again = boss.post(f"{page(agent)}check/")
    assert again["Location"] == answer["Location"]
    assert TrainingRun.objects.count() == 1
    assert "The data are being checked." in text_of(boss.get(page(agent)))


def test_who_may_only_look_starts_and_changes_nothing(
    viewer: Client, agent: Agent, check: TrainingRun
) -> None:
    assert viewer.post(f"{page(agent)}check/").status_code == 403
    assert viewer.post(page(agent), {**FORM, "excluded": "country"}).status_code == 403
    assert viewer.get(f"{page(agent)}check/").status_code == 405
    agent.refresh_from_db()
    assert agent.config == {}
    assert TrainingRun.objects.count() == 1


def test_fields_are_left_out_from_the_next_run_on(chief: Client, agent: Agent, check: TrainingRun) -> None:
    answer = chief.post(page(agent), {**FORM, "excluded": ["last_call", "amount"]})
    assert answer.status_code == 302
    agent.refresh_from_db()
    assert agent.config == {"excluded": ["amount", "last_call"]}
    assert planned_config(agent, {}).excluded == ("amount", "last_call")
    entry = AuditEntry.objects.get(action="fields.excluded")
    assert entry.detail == {"left out": ["amount", "last_call"], "taken back": []}
    assert entry.user is not None
    text = text_of(chief.get(page(agent)))
    assert 'value="last_call" id="field-1" checked' in text
    chief.post(page(agent), {**FORM, "excluded": ["amount"]})
    assert AuditEntry.objects.filter(action="fields.excluded").count() == 2
    chief.post(page(agent), {**FORM, "excluded": ["amount"]})
    assert AuditEntry.objects.count() == 2
    chief.post(page(agent), FORM)
    agent.refresh_from_db()
    assert agent.config == {}


def test_cleaning_is_set_there_too(chief: Client, agent: Agent) -> None:
    agent.config = {"epochs": 3}
    agent.save()
    chief.post(page(agent), {"duplicates": "drop", "outliers": "clip", "quantile": "0.99"})
    agent.refresh_from_db()
    cleaning = {"duplicates": "drop", "outliers": "clip", "quantile": 0.99}
    assert agent.config == {"epochs": 3, "cleaning": cleaning}
    assert vars(planned_config(agent, {}).cleaning) == cleaning
    assert AuditEntry.objects.get().action == "settings.changed"
    assert AuditEntry.objects.get().detail["cleaning"] == cleaning


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"quantile": "0.2"}, "Limit is 0.2; choose from 0.5 to 1."),
        ({"quantile": "much"}, "Enter a number."),
        ({"duplicates": "burn"}, "Select a valid choice. burn is not one of the available choices."),
        ({"excluded": "nonsense"}, "Select a valid choice. nonsense is not one of the available choices."),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    chief: Client, agent: Agent, check: TrainingRun, values: dict[str, str], message: str
) -> None:
    answer = chief.post(page(agent), {**FORM, **values})
    assert answer.status_code == 200
    assert message in text_of(answer)
    agent.refresh_from_db()
    assert agent.config == {}
    assert not AuditEntry.objects.exists()


def test_a_report_of_another_form_is_said_to_be_one(viewer: Client, agent: Agent, check: TrainingRun) -> None:
    TrainingRun.objects.update(report={"findings": []})
    text = text_of(viewer.get(page(agent)))
    assert "This is no report of an inspection" in text
    assert "The data were never checked." in text


def test_strangers_see_nothing(stranger: Client, agent: Agent) -> None:
    assert stranger.get(page(agent)).status_code == 403
    assert stranger.get("/admin/crm_agents/agent/999/data/").status_code in (403, 404)


def test_a_thousand_runs_cost_no_more_queries(viewer: Client, agent: Agent, check: TrainingRun) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            viewer.get(page(agent))
        return len(captured)

    queries()
    few = queries()
    TrainingRun.objects.bulk_create(
        TrainingRun(agent=agent, status=RunStatus.SUCCEEDED, purpose=Purpose.TRIAL, log_tail="x" * 500)
        for _number in range(1000)
    )
    assert queries() == few <= 10
