from datetime import date
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import path, reverse
from django.utils import timezone

from crm_agents.admin import AgentAdmin
from crm_agents.models import Agent, AuditEntry
from crm_data.models import Customer, Product
from recommender.admin import RuleAdmin
from recommender.models import RecommendationRule
from tests.crm_agents_admin.support import inline_parts, text_of
from tests.published import publish

pytestmark = pytest.mark.django_db

LIST = "admin:crm_agents_recommender_recommendationrule_changelist"
ADD = "admin:crm_agents_recommender_recommendationrule_add"
CHANGE = "admin:crm_agents_recommender_recommendationrule_change"
DELETE = "admin:crm_agents_recommender_recommendationrule_delete"
PREVIEW = "admin:crm_agents_recommender_preview"


@pytest.fixture(autouse=True)
def shop(rep: User, other_rep: User) -> None:
    cache.clear()
    for code, name in (("P1", "Candle"), ("P2", "Lantern"), ("P3", "Spade")):
        Product.objects.create(code=code, name=name, category="Home")
    Customer.objects.create(code="A", name="Alder", owner=rep, country="UK")
    Customer.objects.create(code="X", name="Foreign", owner=other_rep)
    items = [{"product": f"P{number}", "score": 0.4 - number / 10, "reasons": []} for number in (1, 2, 3)]
    publish("recommender", {code: (0.3, {"source": "model", "items": items}) for code in ("A", "X")})


def sent(**values: Any) -> dict[str, Any]:
    return {"action": "pin", "product": "P3", "active": "on", **values}


def test_a_manager_makes_changes_and_deletes_a_rule(client: Client, manager: User) -> None:
    client.force_login(manager)
    assert client.post(reverse(ADD), sent(note="Campaign")).status_code == 302
    rule = RecommendationRule.objects.get()
    assert (rule.product, rule.created_by) == ("P3", manager)
    assert client.post(reverse(CHANGE, args=[rule.pk]), sent(product="P2")).status_code == 302
    rule.refresh_from_db()
    assert rule.product == "P2"
    assert client.post(reverse(DELETE, args=[rule.pk]), {"post": "yes"}).status_code == 302
    assert not RecommendationRule.objects.exists()
    actions = AuditEntry.objects.filter(action__startswith="rule.").order_by("id")
    assert [entry.action for entry in actions] == ["rule.made", "rule.changed", "rule.deleted"]


def test_several_deleted_at_once_are_each_audited(client: Client, manager: User) -> None:
    client.force_login(manager)
    for product in ("P1", "P2"):
        client.post(reverse(ADD), sent(product=product))
    ticked = [str(rule.pk) for rule in RecommendationRule.objects.all()]
    client.post(reverse(LIST), {"action": "delete_selected", "_selected_action": ticked, "post": "yes"})
    assert not RecommendationRule.objects.exists()
    assert AuditEntry.objects.filter(action="rule.deleted").count() == 2


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"product": "P9"}, "product", "There is no product 'P9' in the catalogue"),
        ({"product": ""}, "product", "Say which product is pinned."),
        ({"attribute": "country"}, "value", "Give an attribute and its value"),
        ({"strength": "2"}, "strength", "Only rules that move products up or down have a strength"),
        ({"ends": "2001-01-01"}, "ends", "This day is over; choose a later one."),
    ],
)
def test_a_wrong_rule_is_shown_again_with_the_remedy_at_its_field(
    client: Client, manager: User, values: dict[str, str], field: str, message: str
) -> None:
    client.force_login(manager)
    response = client.post(reverse(ADD), sent(**values))
    assert response.status_code == 200
    (error,) = response.context["adminform"].form.errors[field]
    assert error.startswith(message)
    assert not RecommendationRule.objects.exists()


def test_contradictory_rules_are_refused(client: Client, manager: User) -> None:
    client.force_login(manager)
    client.post(reverse(ADD), sent())
    response = client.post(reverse(ADD), sent(action="exclude"))
    (error,) = response.context["adminform"].form.errors["action"]
    assert "(pin: P3) says the opposite" in error
    assert RecommendationRule.objects.count() == 1


def test_a_rep_reads_the_rules_and_may_not_touch_them(client: Client, rep: User) -> None:
    rule = RecommendationRule.objects.create(action="pin", product="P3")
    client.force_login(rep)
    page = client.get(reverse(LIST))
    assert page.status_code == 200
    assert "Spade (P3)" in text_of(page)
    assert client.get(reverse(CHANGE, args=[rule.pk])).status_code == 200
    assert client.get(reverse(ADD)).status_code == 403
    assert client.post(reverse(CHANGE, args=[rule.pk]), sent(product="P1")).status_code == 403
    assert client.post(reverse(DELETE, args=[rule.pk]), {"post": "yes"}).status_code == 403
    assert RecommendationRule.objects.get().product == "P3"


def test_who_may_not_see_scores_sees_no_rules(client: Client) -> None:
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert client.get(reverse(LIST)).status_code == 403
    assert client.get(reverse(PREVIEW)).status_code == 403


def test_the_list_says_what_each_rule_does_today(client: Client, manager: User) -> None:
    RecommendationRule.objects.create(action="pin", product="gone", ends=date(2099, 12, 24))
    RecommendationRule.objects.create(action="boost", category="Home", strength=2.5, note="Season")
    RecommendationRule.objects.create(
        action="cap", at_most=3, attribute="country", value="UK", starts=timezone.localdate()
    )
    client.force_login(manager)
    text = text_of(client.get(reverse(LIST)))
    for words in (
        "without effect</span> The product is no longer in the catalogue.",
        "in effect",
        "move up × 2.5",
        "at most 3",
        "Season",
        "country = UK",
        "until Dec. 24, 2099",
        "from ",
        "always",
        "each category",
        "every customer",
    ):
        assert words in text, words


def test_a_long_list_takes_as_few_queries_as_a_short_one(
    client: Client, manager: User, django_assert_max_num_queries: Any
) -> None:
    RecommendationRule.objects.bulk_create(
        RecommendationRule(action="exclude", product=f"P{number}", created_by=manager) for number in range(40)
    )
    client.force_login(manager)
    with django_assert_max_num_queries(9):
        assert len(client.get(reverse(LIST)).context["cl"].result_list) == 40


def test_the_form_offers_categories_and_attributes_and_no_inline_code(client: Client, manager: User) -> None:
    client.force_login(manager)
    page = client.get(reverse(ADD))
    text = text_of(page)
    assert '<datalist id="id_category_words"><option value="Home"></datalist>' in text
    assert '<option value="country">' in text
    assert "id_tenant" not in text
    assert inline_parts(page) == []


def test_the_preview_shows_both_lists_of_a_customer_whom_the_user_may_see(client: Client, rep: User) -> None:
    RecommendationRule.objects.create(action="exclude", product="P1")
    RecommendationRule.objects.create(action="pin", product="P3", note="Campaign")
    client.force_login(rep)
    page = client.get(reverse(PREVIEW), {"customer": "A"})
    assert [item["name"] for item in page.context["before"]] == ["Candle", "Lantern", "Spade"]
    assert [(item["name"], item["was"]) for item in page.context["after"]] == [("Spade", 3), ("Lantern", 2)]
    text = text_of(page)
    assert "no longer in the list" in text
    assert "was 3" in text
    assert "Pinned by a rule. Campaign" in text
    assert inline_parts(page) == []
    foreign = text_of(client.get(reverse(PREVIEW), {"customer": "X"}))
    assert "There is no customer &#x27;X&#x27; whom you may see" in foreign
    assert "Candle" not in foreign


def test_a_rule_is_tried_while_it_is_typed(client: Client, manager: User) -> None:
    RecommendationRule.objects.create(action="exclude", product="P1")
    client.force_login(manager)
    url = reverse(PREVIEW)
    assert f'formaction="{url}"' in text_of(client.get(reverse(ADD)))

    asked = client.post(url, sent(note="Campaign", starts="2100-01-01", rule=""))
    assert "before" not in asked.context
    assert '<input type="hidden" name="product" value="P3"' in text_of(asked)
    page = client.post(url, sent(note="Campaign", starts="2100-01-01", rule="", customer="A"))

    assert [item["name"] for item in page.context["before"]] == ["Lantern", "Spade"]
    assert [(item["name"], item["was"]) for item in page.context["after"]] == [("Spade", 2), ("Lantern", 1)]
    assert "Pinned by a rule. Campaign" in text_of(page)
    assert inline_parts(page) == []
    assert RecommendationRule.objects.count() == 1
    assert not AuditEntry.objects.filter(action__startswith="rule.").exists()


def test_a_stored_rule_is_tried_with_what_is_typed_over_it(client: Client, manager: User) -> None:
    rule = RecommendationRule.objects.create(action="exclude", product="P1")
    client.force_login(manager)
    typed = {"action": "exclude", "product": "P2", "rule": str(rule.pk), "customer": "A"}
    page = client.post(reverse(PREVIEW), {**typed, "active": "on"})
    assert [item["product"] for item in page.context["before"]] == ["P2", "P3"]
    assert [item["product"] for item in page.context["after"]] == ["P1", "P3"]
    ended = client.post(reverse(PREVIEW), {**typed, "product": "P1"})
    assert [item["product"] for item in ended.context["after"]] == ["P1", "P2", "P3"]
    rule.refresh_from_db()
    assert (rule.product, rule.active) == ("P1", True)


def test_a_rule_that_cannot_be_is_told_so_instead_of_tried(client: Client, manager: User, rep: User) -> None:
    RecommendationRule.objects.create(action="exclude", product="P3")
    client.force_login(manager)
    for typed, said in (
        (sent(), "says the opposite"),
        (sent(product="P9"), "There is no product &#x27;P9&#x27; in the catalogue"),
        (sent(ends="soon"), "Last day: Enter a valid date."),
        (sent(rule="999", product=""), "Say which product is pinned."),
        (sent(rule="x", product=""), "Say which product is pinned."),
    ):
        page = client.post(reverse(PREVIEW), {**typed, "customer": "A"})
        assert said in text_of(page), typed
        assert "after" not in page.context
    client.force_login(rep)
    assert client.post(reverse(PREVIEW), sent(customer="A")).status_code == 403


def test_the_rules_can_be_taken_along(client: Client, manager: User) -> None:
    rule = RecommendationRule.objects.create(action="pin", product="P3", created_by=manager)
    client.force_login(manager)
    response = client.post(reverse(LIST), {"action": "export_csv", "_selected_action": str(rule.pk)})
    assert "pin" in response.getvalue().decode("utf-8-sig").splitlines()[1]


back_office = admin.AdminSite(name="back-office")
for model, its_admin in ((Agent, AgentAdmin), (RecommendationRule, RuleAdmin)):
    back_office.register(model, its_admin)
urlpatterns = [path("admin/", admin.site.urls), path("office/", back_office.urls)]


def test_on_another_site_every_link_stays_on_it(client: Client, manager: User, settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    rule = RecommendationRule.objects.create(action="pin", product="P3")
    client.force_login(manager)
    pages = ("", "add/", f"{rule.pk}/change/", "preview/?customer=A")
    for page in pages:
        answer = client.get(f"/office/crm_agents_recommender/recommendationrule/{page}")
        assert answer.status_code == 200, page
        assert '"/office/' in text_of(answer)
        assert '"/admin/' not in text_of(answer), page
    assert admin.site.is_registered(RecommendationRule)
