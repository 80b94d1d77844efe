"""Versions side by side in the admin."""

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from crm_agents.models import Agent, AuditEntry, ModelVersion, ScoringRun
from crm_data.models import Snapshot
from tests.crm_agents_admin.compared import churn_examples, keep_examples
from tests.crm_agents_admin.support import EVALUATION, inline_parts, make_version, text_of

LIST = "/admin/crm_agents/modelversion/"
PAGE = f"{LIST}compare/"


@pytest.fixture
def second(agent: Agent, snapshot: Snapshot, version: ModelVersion) -> ModelVersion:
    """A better version, and both with their predictions."""
    keep_examples(version, churn_examples(told=0.2))
    metrics = {"model": {"roc_auc": 0.9, "brier": 0.21}, "baselines": {}}
    evaluation = {**EVALUATION, "metrics": metrics}
    made = make_version(agent, snapshot, number=2, evaluation=evaluation)
    made.run.config = {"epochs": 9}
    made.run.save()
    return keep_examples(made, churn_examples(told=0.6))


def test_the_table_marks_the_best_and_tells_how_surely_it_differs(
    viewer: Client, live: ScoringRun, version: ModelVersion, second: ModelVersion
) -> None:
    answer = viewer.get(PAGE, {"ids": f"{version.pk},{second.pk}"})
    text = text_of(answer)

    assert answer.status_code == 200
    assert "Versions of spare side by side" in text
    assert (
        '<th scope="row">ROC-AUC</th><td class="crm-figure">0.7812</td>'
        '<td class="crm-figure crm-best">0.9000<span class="visually-hidden"> (best)</span>'
        '<span class="crm-interval">+0.'
    ) in text
    assert '<span class="crm-badge crm-badge--good">surely better</span>' in text
    assert '<th scope="row">Brier score</th><td class="crm-figure crm-best">0.1985' in text
    assert "on the same draws of 400 customers" in text
    assert '<tr><th scope="row"><code>epochs</code></th><td class="crm-figure">6</td>' in text
    assert inline_parts(answer) == []


def test_another_window_is_said_plainly(
    viewer: Client, version: ModelVersion, agent: Agent, snapshot: Snapshot
) -> None:
    moved = {**EVALUATION, "windows": {"test": ["2011-07-01T00:00:00+00:00", "2011-09-29T00:00:00+00:00"]}}
    other = make_version(agent, snapshot, number=2, evaluation=moved)

    text = text_of(viewer.get(PAGE, {"ids": f"{version.pk},{other.pk}"}))

    assert "spare v2 was tested on another window than spare v1" in text
    assert "surely" not in text


@pytest.mark.parametrize("ids", ["", "1", "x,y", "1,2,3,4,5", "9999999,9999998", "９,８"])
def test_a_choice_that_is_none_leads_back_to_the_list(
    viewer: Client, version: ModelVersion, ids: str
) -> None:
    answer = viewer.get(PAGE, {"ids": ids}, follow=True)

    assert answer.redirect_chain == [(LIST, 302)]
    assert len(list(answer.context["messages"])) == 1


def test_the_lists_action_leads_to_the_page(
    viewer: Client, version: ModelVersion, second: ModelVersion
) -> None:
    data = {"action": "compare_selected", ACTION_CHECKBOX_NAME: [version.pk, second.pk]}

    answer = viewer.post(LIST, data)

    assert (answer.status_code, answer["Location"]) == (302, f"{PAGE}?ids={second.pk},{version.pk}")
    assert AuditEntry.objects.count() == 0


def test_a_versions_page_offers_to_compare_it_with_the_live_one(
    viewer: Client, live: ScoringRun, version: ModelVersion, second: ModelVersion
) -> None:
    link = f'<a href="{PAGE}?ids={version.pk},{second.pk}">Compare with the live version</a>'

    assert link in text_of(viewer.get(f"{LIST}{second.pk}/change/"))
    assert "Compare with the live version" not in text_of(viewer.get(f"{LIST}{version.pk}/change/"))


def test_four_versions_need_no_more_queries_than_two(
    viewer: Client,
    agent: Agent,
    snapshot: Snapshot,
    version: ModelVersion,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    keys = [version.pk, *(make_version(agent, snapshot, number=number).pk for number in (2, 3, 4))]

    with django_assert_max_num_queries(6):
        viewer.get(PAGE, {"ids": ",".join(map(str, keys))})


def test_a_stranger_is_refused(stranger: Client, version: ModelVersion, second: ModelVersion) -> None:
    assert stranger.get(PAGE, {"ids": f"{version.pk},{second.pk}"}).status_code == 403
    assert stranger.get(PAGE).status_code == 403
