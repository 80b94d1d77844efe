from typing import Any

import pytest

from crm_data.models import Interaction

URL = "/api/v1/interactions/"
ROW = {"customer": "C1", "kind": "purchase", "at": "2011-12-01T10:00:00Z", "product": "P1", "amount": 5.0}


@pytest.fixture
def writer(manager_api: Any, customers: Any, products: Any) -> Any:
    return manager_api


def send(client: Any, *rows: Any, **headers: str) -> Any:
    return client.post(URL, {"rows": list(rows)}, format="json", headers=headers)


def test_rows_are_recorded(writer: Any) -> None:
    answer = send(writer, ROW, {"customer": "C2", "kind": "call", "at": "2011-12-02T09:00:00+01:00"})
    assert (answer.status_code, answer.json()) == (201, {"recorded": 2})
    assert list(
        Interaction.objects.order_by("at").values_list("customer__code", "kind", "product__code")
    ) == [
        ("C1", "purchase", "P1"),
        ("C2", "call", None),
    ]


def test_the_same_delivery_sent_twice_is_recorded_once(writer: Any) -> None:
    answers = [send(writer, ROW, **{"Idempotency-Key": "batch-1"}) for _ in range(2)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(201, {"recorded": 1})] * 2
    assert Interaction.objects.count() == 1


def test_one_bad_row_refuses_them_all_and_is_named(writer: Any) -> None:
    answer = send(writer, ROW, {**ROW, "at": "yesterday"}, {**ROW, "customer": "nobody"})
    assert answer.status_code == 400
    body = answer.json()
    assert body["type"] == "urn:problem:crm-agents:invalid-input"
    assert body["errors"] == [
        {
            "field": "rows.1.at",
            "value": "yesterday",
            "message": "Give an ISO 8601 time with its offset, e.g. 2026-03-31T14:05:00+01:00.",
        }
    ]
    assert not Interaction.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("customer", "nobody"),
        ("customer", "C1\x00"),
        ("customer", None),
        ("product", "P9"),
        ("at", "2011-12-01T10:00:00"),
        ("at", 1322733600),
        ("amount", "5"),
        ("amount", 10**400),
        ("quantity", [1]),
        ("kind", "two words"),
        ("key", "not-a-uuid"),
        ("colour", "red"),
    ],
)
def test_each_refused_value_is_named_by_its_row(writer: Any, field: str, value: Any) -> None:
    answer = send(writer, {**ROW, field: value})
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [f"rows.0.{field}"]
    assert not Interaction.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "rows"),
        ([], "rows"),
        (None, "rows"),
        ({"rows": []}, "rows"),
        ({"rows": {}}, "rows"),
        ({"rows": [ROW], "dry_run": True}, "rows"),
        ({"rows": [ROW] * 1001}, "rows"),
        ({"rows": [ROW, 5]}, "rows.1"),
    ],
)
def test_a_body_of_another_shape_is_refused(writer: Any, body: Any, field: str) -> None:
    answer = writer.post(URL, body, format="json")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not Interaction.objects.exists()


def test_a_foreign_customer_is_as_unknown_as_none(api: Any, rep: Any, customers: Any, products: Any) -> None:
    from django.contrib.auth.models import Permission

    rep.user_permissions.add(Permission.objects.get(codename="add_interaction"))
    foreign, absent = send(api, {**ROW, "customer": "X9"}), send(api, {**ROW, "customer": "X8"})
    assert (foreign.status_code, absent.status_code) == (400, 400)
    assert foreign.json()["errors"][0]["message"] == absent.json()["errors"][0]["message"]
    assert not Interaction.objects.exists()


def test_a_hosts_own_tables_are_not_written(writer: Any, settings: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SOURCE": "tests.api.host_source.HostSource"}
    answer = send(writer, ROW)
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:problem:crm-agents:source-is-read-only"
    assert not Interaction.objects.exists()


def test_without_the_permission_nothing_is_written(api: Any, customers: Any, products: Any) -> None:
    assert send(api, ROW).status_code == 403
    assert not Interaction.objects.exists()
