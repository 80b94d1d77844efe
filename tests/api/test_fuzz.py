"""Every operation against values made from its own description, right ones and wrong ones alike."""

from contextlib import suppress
from typing import Any, cast

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from rest_framework.authtoken.models import Token
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

EXAMPLES = 5
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
# Ids that exist, tried beside the made-up ones.
KNOWN = {"customer_id": "C1", "name": "churn", "product_id": "P1"}


@pytest.fixture
def token(manager: Any, live_churn: Any, live_recommender: Any, queued_run: Any, monkeypatch: Any) -> str:
    from crm_agents.api.throttling import ScopeThrottle
    from crm_agents.services import waking

    monkeypatch.setattr(ScopeThrottle, "get_rate", lambda self: None)
    monkeypatch.setattr(waking, "send", lambda rows: True)
    monkeypatch.setattr("crm_agents.services.tuning.sweeps.ask", lambda task, pk: True)
    return str(Token.objects.create(user=manager).key)


def _label_set(agent: Any) -> str:
    """Return the id of a label set with one item."""
    from crm_agents.models import LabelItem
    from crm_agents.services.labelling.sets import create_label_set

    choices = [{"value": "left"}, {"value": "stayed"}]
    made = create_label_set(agent, name="Left", subject="customer", question="Left?", choices=choices)
    LabelItem.objects.create(label_set=made, customer_id="C1", at=made.created_at)
    return str(made.pk)


@pytest.mark.django_db(transaction=True)  # the WSGI application closes connections between requests
@pytest.mark.parametrize(
    ("mode", "known", "expected"),
    [
        (GenerationMode.POSITIVE, False, 27),
        (GenerationMode.POSITIVE, True, 19),
        (GenerationMode.NEGATIVE, False, 18),
        (GenerationMode.NEGATIVE, True, 8),
    ],
)
def test_no_value_breaks_what_the_description_promises(
    token: str, queued_run: Any, live_churn: Any, mode: GenerationMode, known: bool, expected: int
) -> None:
    headers = {"Authorization": f"Token {token}"}
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/", get_wsgi_application(), headers=headers)
    ids = {**KNOWN, "run_id": str(queued_run.pk), "version_id": live_churn.live_version.pk} if known else {}
    if known:
        ids["label_set_id"] = _label_set(live_churn)
    tried: list[str] = []
    for result in schema.get_all_operations():
        operation = cast("Any", result).ok()
        named = {parameter.name for parameter in operation.path_parameters}
        if known and not named:
            continue
        strategy = operation.as_strategy(
            mode, path_parameters={k: v for k, v in ids.items() if k in named} or None
        )

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def try_one(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        # Where nothing can be wrong there is no negative case to make.
        with suppress(*([Unsatisfiable] if mode is GenerationMode.NEGATIVE else [])):
            try_one()
            tried.append(operation.label)
    assert len(tried) >= expected  # new operations join by themselves
