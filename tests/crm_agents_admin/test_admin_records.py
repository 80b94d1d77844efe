"""Audit and feedback are read, never written here."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from crm_agents.models import Agent, AuditEntry, Feedback
from crm_data.models import Customer
from tests.crm_agents_admin.support import inline_parts, signed_in, staff, text_of

AUDIT = "/admin/crm_agents/auditentry/"
FEEDBACK = "/admin/crm_agents/feedback/"


@pytest.fixture
def entry(agent: Agent) -> AuditEntry:
    return AuditEntry.objects.create(
        agent=agent, action="version.promoted", subject="spare v2", detail={"override_reason": "A trial."}
    )


class TestAudit:
    def test_it_is_listed_filtered_and_searched(self, admin_client: Client, entry: AuditEntry) -> None:
        AuditEntry.objects.create(agent=entry.agent, action="run.started", subject="a run")

        assert "spare v2" in text_of(admin_client.get(AUDIT))
        assert "spare v2" not in text_of(admin_client.get(f"{AUDIT}?action=run.started"))
        assert "a run" not in text_of(admin_client.get(f"{AUDIT}?q=promoted"))

    def test_actions_are_named_in_words(self, admin_client: Client, entry: AuditEntry) -> None:
        assert '<td class="field-action">version promoted</td>' in text_of(admin_client.get(AUDIT))

    def test_an_entry_shows_its_detail(self, admin_client: Client, entry: AuditEntry) -> None:
        assert "A trial." in text_of(admin_client.get(f"{AUDIT}{entry.pk}/change/"))

    def test_not_even_a_superuser_writes_one(self, admin_client: Client, entry: AuditEntry) -> None:
        before = AuditEntry.objects.values().get()

        assert admin_client.get(f"{AUDIT}add/").status_code == 403
        assert admin_client.post(f"{AUDIT}add/", {"action": "forged"}).status_code == 403
        assert admin_client.post(f"{AUDIT}{entry.pk}/change/", {"action": "forged"}).status_code == 403
        assert admin_client.post(f"{AUDIT}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
        admin_client.post(AUDIT, {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"})
        assert AuditEntry.objects.values().get() == before

    def test_seeing_scores_is_not_enough(self, viewer: Client, entry: AuditEntry) -> None:
        assert viewer.get(AUDIT).status_code == 403
        assert signed_in(staff("auditor", "view_auditentry")).get(AUDIT).status_code == 200


class TestFeedback:
    @pytest.fixture
    def said(self, agent: Agent, rep: User, other_rep: User) -> list[Feedback]:
        Customer.objects.create(code="C1", name="One", owner=rep)
        Customer.objects.create(code="C2", name="Two", owner=other_rep)
        return [
            Feedback.objects.create(agent=agent, customer_id=code, verdict=verdict, reason=reason)
            for code, verdict, reason in (("C1", "accepted", "sold it"), ("C2", "wrong", "closed down"))
        ]

    @pytest.mark.usefixtures("said")
    def test_it_is_listed_filtered_and_searched(self, admin_client: Client) -> None:
        everything = text_of(admin_client.get(FEEDBACK))

        assert '<span class="crm-badge crm-badge--wrong">wrong</span>' in everything
        assert "sold it" not in text_of(admin_client.get(f"{FEEDBACK}?verdict__exact=wrong"))
        assert "sold it" in text_of(admin_client.get(f"{FEEDBACK}?q=C1"))

    def test_a_rep_reads_only_what_is_said_of_own_customers(self, rep: User, said: list[Feedback]) -> None:
        staff_rep = staff("third", "view_feedback")
        Customer.objects.filter(code="C1").update(owner=staff_rep)
        client = signed_in(staff_rep)
        text = text_of(client.get(FEEDBACK))

        assert ("sold it" in text, "closed down" in text) == (True, False)
        assert client.get(f"{FEEDBACK}{said[0].pk}/change/").status_code == 200
        assert client.get(f"{FEEDBACK}{said[1].pk}/change/").status_code == 302

    def test_nobody_edits_it(self, admin_client: Client, said: list[Feedback]) -> None:
        answer = admin_client.get(f"{FEEDBACK}{said[0].pk}/change/")

        assert inline_parts(answer) == []
        assert admin_client.post(f"{FEEDBACK}{said[0].pk}/change/", {"verdict": "wrong"}).status_code == 403
        assert admin_client.post(f"{FEEDBACK}{said[0].pk}/delete/", {"post": "yes"}).status_code == 403
        assert sorted(Feedback.objects.values_list("verdict", flat=True)) == ["accepted", "wrong"]
