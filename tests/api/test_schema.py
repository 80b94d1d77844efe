import io
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import get_resolver


@pytest.fixture
def schema(api: Any) -> dict[str, Any]:
    answer = api.get("/api/v1/schema/")
    assert answer.status_code == 200
    loaded: dict[str, Any] = answer.json()
    return loaded


def test_the_description_is_valid_and_without_warnings() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=io.StringIO())


def test_every_endpoint_is_described(schema: dict[str, Any]) -> None:
    ours: Any = next(
        entry for entry in get_resolver().url_patterns if getattr(entry, "app_name", "") == "crm_agents_api"
    )
    paths = {
        "/" + str(ours.pattern) + str(entry.pattern).replace("<str:", "{").replace(">", "}")
        for entry in ours.url_patterns
    }
    assert set(schema["paths"]) == paths - {"/api/v1/schema/", "/api/v1/docs/"}


def test_every_operation_names_its_problems(schema: dict[str, Any]) -> None:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            expected = {"400", "401", "403", "404", "429"} | (
                {"409", "413", "415", "422"} if method == "post" else set()
            )
            assert expected <= set(operation["responses"]), (path, method)
            problem = operation["responses"]["404"]["content"]["application/problem+json"]["schema"]
            assert problem == {"$ref": "#/components/schemas/Problem"}


def test_every_write_takes_an_idempotency_key(schema: dict[str, Any]) -> None:
    for path, operations in schema["paths"].items():
        if "post" in operations:
            names = {parameter["name"] for parameter in operations["post"]["parameters"]}
            assert "Idempotency-Key" in names, path


def test_operations_have_a_summary_and_a_name_of_their_own(schema: dict[str, Any]) -> None:
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert all(operation["summary"] for operation in operations)
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)


def test_a_page_is_described_as_it_is(schema: dict[str, Any]) -> None:
    page = schema["components"]["schemas"]["PaginatedCustomerList"]
    assert page["required"] == ["results", "next"]
    assert set(page["properties"]) == {"results", "next"}
