from typing import Any

import pytest

from crm_agents.models import AuditEntry
from crm_data.models import Product
from recommender.models import RecommendationRule

URL = "/api/v1/recommender/rules/"
LIST = "/api/v1/customers/C1/recommendations/"


def listed(api: Any, **query: Any) -> list[str]:
    return [item["product"] for item in api.get(LIST, query).json()["items"]]


def test_a_manager_makes_a_rule_and_the_list_heeds_it_at_once(
    api: Any, manager_api: Any, live_recommender: Any
) -> None:
    assert listed(api) == ["P1", "P3", "P2"]
    answer = manager_api.post(
        URL, {"action": "pin", "product": "P2", "ends": "2099-12-24", "note": "Campaign"}, format="json"
    )
    assert answer.status_code == 201
    body = answer.json()
    assert {key: body[key] for key in ("action", "product", "ends", "active", "created_by")} == {
        "action": "pin",
        "product": "P2",
        "ends": "2099-12-24",
        "active": True,
        "created_by": "manager",
    }
    assert body["without_effect"] == ""
    assert listed(api) == ["P2", "P1", "P3"]
    first = api.get(LIST).json()["items"][0]
    assert first["reasons"][0] == {"code": "pinned", "text": "Pinned by a rule until Dec. 24, 2099. Campaign"}
    assert (first["source"], first["score"]) == ("model", 0.1)
    assert manager_api.get(body["url"]).json() == body


def test_a_rep_reads_rules_and_may_not_make_change_or_delete_one(
    api: Any, manager_api: Any, live_recommender: Any
) -> None:
    rule = RecommendationRule.objects.create(action="exclude", product="P1")
    assert [each["id"] for each in api.get(URL).json()["results"]] == [rule.pk]
    for call in (api.post, api.patch, api.delete):
        url = URL if call == api.post else f"{URL}{rule.pk}/"
        assert call(url, {"action": "exclude", "product": "P2"}, format="json").status_code == 403
    assert RecommendationRule.objects.get().product == "P1"


def test_a_rule_is_changed_and_deleted(api: Any, manager_api: Any, live_recommender: Any) -> None:
    made = manager_api.post(URL, {"action": "boost", "product": "P2", "strength": 4}, format="json").json()
    assert listed(api) == ["P2", "P1", "P3"]
    answer = manager_api.patch(made["url"], {"strength": 2.5}, format="json")
    assert (answer.status_code, answer.json()["strength"]) == (200, 2.5)
    assert listed(api) == ["P1", "P2", "P3"]
    assert manager_api.delete(made["url"]).status_code == 204
    assert listed(api) == ["P1", "P3", "P2"]
    assert manager_api.get(made["url"]).status_code == 404
    actions = AuditEntry.objects.filter(action__startswith="rule.").order_by("id")
    assert [entry.action for entry in actions] == ["rule.made", "rule.changed", "rule.deleted"]


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ({"action": "pin", "product": "P9"}, "product", "P9"),
        ({"action": "sell", "product": "P1"}, "action", "sell"),
        ({"action": "boost", "product": "P1", "strength": 0.5}, "strength", 0.5),
        ({"action": "boost", "product": "P1", "strength": "nan"}, "strength", "nan"),
        ({"action": "cap", "category": "Home", "at_most": 0}, "at_most", 0),
        ({"action": "exclude", "category": "None such"}, "category", "None such"),
        ({"action": "pin", "product": "P1", "ends": "tomorrow"}, "ends", "tomorrow"),
        ({"action": "pin", "product": "P1", "colour": "red"}, "colour", "red"),
        ({"product": "P1"}, "action", None),
    ],
)
def test_a_wrong_rule_is_refused_by_field_value_and_remedy(
    manager_api: Any, live_recommender: Any, body: Any, field: str, value: Any
) -> None:
    answer = manager_api.post(URL, body, format="json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    (error,) = answer.json()["errors"]
    assert (error["field"], error["value"]) == (field, value)
    assert error["message"]
    assert not RecommendationRule.objects.exists()


def test_rules_that_contradict_each_other_are_refused(manager_api: Any, live_recommender: Any) -> None:
    first = manager_api.post(URL, {"action": "pin", "product": "P1"}, format="json").json()
    answer = manager_api.post(URL, {"action": "exclude", "product": "P1"}, format="json")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["field"], error["value"]) == ("action", "exclude")
    assert error["message"].startswith(f"Rule {first['id']} (pin: P1) says the opposite")
    other = manager_api.post(URL, {"action": "exclude", "product": "P2"}, format="json").json()
    changed = manager_api.patch(other["url"], {"product": "P1"}, format="json")
    assert changed.status_code == 400
    assert manager_api.get(other["url"]).json()["product"] == "P2"


def test_a_rule_that_is_sent_twice_is_made_once(manager_api: Any, live_recommender: Any) -> None:
    body = {"action": "exclude", "product": "P1"}
    first = manager_api.post(URL, body, format="json", headers={"Idempotency-Key": "one"})
    again = manager_api.post(URL, body, format="json", headers={"Idempotency-Key": "one"})
    assert (again.status_code, again.json()) == (201, first.json())
    assert RecommendationRule.objects.count() == 1


def test_the_rule_of_a_deleted_product_is_shown_without_effect(
    api: Any, manager_api: Any, live_recommender: Any
) -> None:
    manager_api.post(URL, {"action": "pin", "product": "P2"}, format="json")
    Product.objects.filter(code="P2").delete()
    (rule,) = api.get(URL).json()["results"]
    assert rule["without_effect"] == "The product is no longer in the catalogue."
    assert listed(api) == ["P1", "P3"]


def test_rules_are_paged_and_chosen_by_product_and_state(api: Any, live_recommender: Any) -> None:
    for product, active in (("P1", True), ("P2", False), ("P2", True)):
        RecommendationRule.objects.create(action="exclude", product=product, active=active)
    page = api.get(URL, {"limit": 2}).json()
    assert [each["product"] for each in page["results"]] == ["P1", "P2"]
    assert [each["product"] for each in api.get(page["next"]).json()["results"]] == ["P2"]
    assert len(api.get(URL, {"product": "P2"}).json()["results"]) == 2
    assert len(api.get(URL, {"active": "false"}).json()["results"]) == 1


def test_the_preview_shows_the_list_without_and_with_the_rules(api: Any, live_recommender: Any) -> None:
    RecommendationRule.objects.create(action="exclude", product="P1")
    body = api.get(f"{URL}preview/", {"customer_id": "C1"}).json()
    assert [item["product"] for item in body["without_rules"]] == ["P1", "P3", "P2"]
    assert [item["product"] for item in body["with_rules"]] == ["P3", "P2"]
    assert api.get(f"{URL}preview/", {"customer_id": "X9"}).status_code == 404
    assert api.get(f"{URL}preview/").status_code == 400


def test_what_is_no_rules_number_is_404(manager_api: Any, live_recommender: Any) -> None:
    for number in ("0", "-1", "x", "9" * 40):
        assert manager_api.get(f"{URL}{number}/").status_code == 404


def test_more_rules_take_no_more_queries(api: Any, live_recommender: Any, queries_of: Any) -> None:
    RecommendationRule.objects.create(action="exclude", product="P1", attribute="country", value="UK")
    one = queries_of(lambda: api.get(LIST))
    lists = queries_of(lambda: api.get(URL))
    RecommendationRule.objects.create(action="pin", product="P2", attribute="country", value="UK")
    RecommendationRule.objects.create(
        action="boost", category="Home", strength=2, attribute="country", value="UK"
    )
    assert queries_of(lambda: api.get(LIST)) == one
    assert queries_of(lambda: api.get(URL)) == lists + 1  # for the categories
