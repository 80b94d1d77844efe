"""`manage.py agent compare`."""

import io

import pytest
from django.core.management import CommandError, call_command

from crm_agents.models import Agent, ModelVersion
from crm_agents.services.agents import get_agent
from crm_data.models import Snapshot
from tests.crm_agents_admin.compared import churn_examples, keep_examples
from tests.crm_agents_admin.support import AT, EVALUATION, make_version


@pytest.fixture
def agent(db: None) -> Agent:
    return get_agent("churn")


@pytest.fixture
def both(agent: Agent) -> list[ModelVersion]:
    sizes = {"events": 1, "customers": 1, "products": 1, "shards": 1}
    snapshot = Snapshot.objects.create(folder="snapshots/one", sha256="a1" * 32, watermark=AT, **sizes)
    moved = {**EVALUATION, "metrics": {"model": {"roc_auc": 0.9}, "baselines": {}}}
    first = make_version(agent, snapshot, number=1)
    second = make_version(agent, snapshot, number=2, evaluation=moved)
    return [keep_examples(first, churn_examples(told=0.2)), keep_examples(second, churn_examples(told=0.6))]


def said(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("agent", "compare", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_it_prints_a_table_with_what_is_sure(both: list[ModelVersion]) -> None:
    lines = said("churn", "1", "2")

    assert lines[0].startswith("churn v2 and churn v1 on the same draws of 400 customers;")
    assert lines[1] == "Compared with churn v1."
    assert lines[2] == "metric\tv1\tv2"
    assert lines[3].startswith("ROC-AUC\t0.7812\t0.9000 (+0.")
    assert lines[3].endswith(", surely better)")


def test_a_number_that_is_no_version_is_named(both: list[ModelVersion]) -> None:
    with pytest.raises(CommandError, match="churn has no version 7"):
        said("churn", "1", "7")
    with pytest.raises(CommandError, match="two to 4 versions; these are 1"):
        said("churn", "1")
