"""Who finds the pages, and what leaves them as files."""

from django.test import Client

from crm_agents.models import Agent, RunStatus, TrainingRun
from tests.crm_agents_admin.support import signed_in, staff, text_of


def test_the_index_lists_what_one_may_see(viewer: Client, stranger: Client) -> None:
    seen, unseen = text_of(viewer.get("/admin/")), text_of(stranger.get("/admin/"))

    assert '<a href="/admin/crm_agents/trainingrun/"' in seen
    assert '<a href="/admin/crm_agents/auditentry/"' not in seen
    assert "/admin/crm_agents/" not in unseen


def test_djangos_own_view_permission_is_enough(agent: Agent) -> None:
    client = signed_in(staff("reader", "view_agent"))

    assert client.get("/admin/crm_agents/agent/").status_code == 200
    assert client.get("/admin/crm_agents/trainingrun/").status_code == 403


def test_who_may_start_runs_may_see_them(agent: Agent) -> None:
    client = signed_in(staff("operator", "manage_runs"))

    assert client.get("/admin/crm_agents/agent/").status_code == 200
    assert client.get("/admin/crm_agents/trainingrun/").status_code == 200
    assert client.get("/admin/crm_agents/modelversion/").status_code == 403


def test_a_visitor_is_sent_to_the_log_in(client: Client, agent: Agent) -> None:
    answer = client.get(f"/admin/crm_agents/agent/{agent.pk}/start/")

    assert answer["Location"] == f"/admin/login/?next=/admin/crm_agents/agent/{agent.pk}/start/"


def test_a_list_is_exported_as_it_is_filtered(viewer: Client, agent: Agent) -> None:
    failed = TrainingRun.objects.create(agent=agent, status=RunStatus.FAILED)
    TrainingRun.objects.create(agent=agent, status=RunStatus.CANCELLED)
    answer = viewer.post(
        "/admin/crm_agents/trainingrun/?status__exact=failed",
        {"action": "export_csv", "select_across": "1", "_selected_action": [failed.pk]},
    )

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    lines = answer.getvalue().decode("utf-8-sig").splitlines()
    assert len(lines) == 2
    assert lines[1].split(",")[1:4] == ["spare", "train", "failed"]
