import sys
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path, reverse

from churn.admin import ChurnWorklist
from churn.models import ChurnScore
from crm_agents import recipes as agent_recipes
from crm_agents.admin.agents import AgentAdmin
from crm_agents.models import Agent, Feedback
from crm_agents.recipes import Panel, Recipe
from crm_data.models import Customer, Interaction, Product
from tests.published import Answer, publish

pytestmark = pytest.mark.django_db

OVERDUE = {"code": "overdue", "direction": "up", "usual_gap_days": 18, "days_since": 74}
REGULAR = {"code": "regular", "direction": "down", "orders": 12, "days": 365}
CHURN: dict[str, Answer] = {
    "17850": (0.81, {"before": 0.6, "reasons": [OVERDUE, REGULAR]}),
    "X": (None, {"missing": [{"code": "inactive", "days": 365}]}),
}
REPEAT = {"code": "repeat", "times": 6, "usual_gap_days": 30, "days_since": 35}
ITEMS = [{"product": "22423", "score": 0.312, "reasons": [REPEAT]}]
RECOMMENDED: dict[str, Answer] = {
    "17850": (0.312, {"source": "model", "items": ITEMS}),
    "X": (0.05, {"source": "popularity", "items": ITEMS}),
}


@pytest.fixture
def customer(rep: User) -> Customer:
    customer = Customer.objects.create(
        code="17850",
        name="Corner <Shop>",
        owner=rep,
        email="corner@example.com",
        country="France",
        since="2010-12-01",
        attributes={"key_account": True, "segments": ["gifts", "cards"], "note": ""},
    )
    product = Product.objects.create(code="22423", name="Cake stand", category="Kitchen", price="12.75")
    at = datetime(2011, 12, 1, 10, tzinfo=UTC)
    Interaction.objects.create(
        customer=customer, product=product, kind="purchase", at=at, quantity=2, amount="25.50", basket="I9"
    )
    Interaction.objects.create(customer=customer, kind="question", at=at, text="Where is my <parcel>?")
    Interaction.objects.create(customer=customer, kind="fair", at=at)
    return customer


def page_of(customer_id: str) -> str:
    return reverse("admin:crm_agents_customer", args=[customer_id])


LIST = "admin:crm_agents_customers"


def allow(user: User, *permissions: str) -> None:
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))


def staff(name: str, *permissions: str) -> User:
    user = User.objects.create_user(name, is_staff=True)
    allow(user, *permissions)
    return user


def test_the_page_shows_the_customer_and_what_every_agent_says(
    client: Client, rep: User, customer: Customer
) -> None:
    publish("churn", CHURN)
    publish("recommender", RECOMMENDED)
    client.force_login(rep)
    response = client.get(page_of("17850"))
    assert response.status_code == 200
    html = response.content.decode()
    assert "Corner &lt;Shop&gt;" in html
    assert "<Shop>" not in html
    for text in (
        "Dec. 1, 2010",
        "corner@example.com",
        "France",
        "cards, gifts",
        "Key account",
        "81 %",
        "high risk",
        "risk rising",
        "Usually orders every 18 days; last order 74 days ago.",
        "Ordered 12 times in the last 365 days.",
        "Bought 6 times, about every 30 days; last 35 days ago.",
        "Cake stand",
        "12.75",
        "0.312",
        "As of Dec. 9, 2011, version 1.",
        "Where is my &lt;parcel&gt;?",
        '<td class="crm-nowrap">question</td>',
        '<td class="crm-nowrap">fair</td>',
        "25.50",
        "8 days ago",
        "Kitchen (1)",
        reverse("admin:crm_data_customer_change", args=[customer.pk]),
    ):
        assert text in html, text


def test_reasons_stand_under_their_direction(client: Client, rep: User, customer: Customer) -> None:
    publish("churn", CHURN)
    client.force_login(rep)
    html = client.get(page_of("17850")).content.decode()
    places = [html.index(text) for text in ("Raises the risk", "Usually", "Lowers the risk", "Ordered 12")]
    assert places == sorted(places)


def test_a_foreign_customer_is_not_found(
    client: Client, other_rep: User, manager: User, customer: Customer
) -> None:
    client.force_login(other_rep)
    assert client.get(page_of("17850")).status_code == 404
    client.force_login(manager)
    assert client.get(page_of("17850")).status_code == 200


def test_an_absent_customer_and_an_unknown_tenant_are_not_found(client: Client, manager: User) -> None:
    client.force_login(manager)
    assert client.get(page_of("nobody")).status_code == 404
    assert client.get(reverse(LIST) + "?tenant=acme").status_code == 404


@pytest.mark.parametrize("code", ["A/B", "A B", "50% off", "Ä?x=1#y", "new/feedback", "1/change"])
def test_any_text_may_be_a_customers_number(client: Client, manager: User, code: str) -> None:
    Customer.objects.create(code=code, name="Odd one")
    client.force_login(manager)
    response = client.get(page_of(code))
    assert response.status_code == 200
    assert response.context["customer"].id == code


def test_without_any_agent_trained_the_page_says_so(client: Client, rep: User, customer: Customer) -> None:
    client.force_login(rep)
    html = client.get(page_of("17850")).content.decode()
    assert html.count("This agent has not been trained yet.") == 2
    assert "csrfmiddlewaretoken" in html  # the log-out form's
    assert 'name="verdict"' not in html


def test_who_is_new_to_the_scores_is_told_so(client: Client, manager: User) -> None:
    Customer.objects.create(code="new", name="New one")
    publish("churn", CHURN)
    publish("recommender", RECOMMENDED)
    client.force_login(manager)
    html = client.get(page_of("new")).content.decode()
    sentence = (
        "The scores of Dec. 9, 2011 do not cover this customer; one who came later is scored the next time."
    )
    assert html.count(sentence) == 2
    assert "No purchase of this customer is recorded, so there is no profile yet." in html
    assert "Nothing is recorded of this customer yet." in html


def test_what_is_missing_and_what_is_merely_popular_is_labelled(client: Client, manager: User) -> None:
    Customer.objects.create(code="X", name="Quiet one")
    Product.objects.create(code="22423", name="Cake stand")
    publish("churn", CHURN)
    publish("recommender", RECOMMENDED)
    client.force_login(manager)
    html = client.get(page_of("X")).content.decode()
    assert "not enough information" in html
    assert "No purchase in the last 365 days." in html
    assert "Popular with everyone; this customer has no purchases yet." in html


def test_scores_are_hidden_without_the_permission(client: Client, customer: Customer) -> None:
    publish("churn", CHURN)
    publish("recommender", RECOMMENDED)
    client.force_login(staff("clerk", "crm_data.view_customer", "crm_data.view_all_customers"))
    html = client.get(page_of("17850")).content.decode()
    assert "You do not have the permission to see what the agents say of customers." in html
    assert "8 days ago" in html  # the profile is no score
    for score in ("81 %", "Usually orders", "Bought 6 times", 'name="verdict"'):
        assert score not in html


def test_staff_without_any_permission_are_kept_out(client: Client, customer: Customer) -> None:
    client.force_login(staff("stranger"))
    assert client.get(page_of("17850")).status_code == 403
    assert client.get(reverse(LIST)).status_code == 403


def test_who_is_not_logged_in_is_sent_to_the_log_in(client: Client, customer: Customer) -> None:
    response = client.get(page_of("17850"))
    assert (response.status_code, response["Location"].split("?")[0]) == (302, reverse("admin:login"))


def test_who_may_not_give_feedback_sees_no_buttons(client: Client, customer: Customer) -> None:
    publish("recommender", RECOMMENDED)
    client.force_login(staff("reader", "crm_agents.view_scores", "crm_data.view_all_customers"))
    html = client.get(page_of("17850")).content.decode()
    assert "Cake stand" in html
    assert 'name="verdict"' not in html


def say(client: Client, **values: str) -> Any:
    fields = {"customer": "17850", "agent": "recommender", "item": "22423", "verdict": "dismissed"}
    return client.post(reverse("admin:crm_agents_customer_feedback"), {**fields, **values})


def test_feedback_is_stored_once_and_shown_afterwards(client: Client, rep: User, customer: Customer) -> None:
    agent = publish("recommender", RECOMMENDED)
    client.force_login(rep)
    response = say(client, reason="Has plenty")
    assert (response.status_code, response["Location"]) == (302, page_of("17850") + "#panel-recommender")
    said = Feedback.objects.get()
    assert (said.agent, said.customer_id, said.item, said.verdict, said.reason, said.user) == (
        agent,
        "17850",
        "22423",
        "dismissed",
        "Has plenty",
        rep,
    )
    assert said.scoring == agent.live_scoring
    html = client.get(page_of("17850")).content.decode()
    assert "crm-badge--dismissed" in html
    assert "Has plenty" in html
    assert "Your feedback is stored." in html


def test_feedback_on_the_warning_itself_has_no_item(client: Client, rep: User, customer: Customer) -> None:
    publish("churn", CHURN)
    client.force_login(rep)
    assert say(client, agent="churn", item="", verdict="wrong").status_code == 302
    assert Feedback.objects.get().item == ""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"verdict": "perhaps"},
            "verdict: Select a valid choice. perhaps is not one of the available choices.",
        ),
        ({"verdict": ""}, "verdict: This field is required."),
        ({"agent": "oracle"}, "agent: There is no agent 'oracle'."),
        ({"reason": "x" * 501}, "reason: Ensure this value has at most 500 characters (it has 501)."),
        ({"item": "x" * 65}, "item: Ensure this value has at most 64 characters (it has 65)."),
        ({"reason": "a\0b"}, "reason: Null characters are not allowed."),
    ],
)
def test_bad_feedback_is_refused_with_the_reason_and_nothing_is_stored(
    client: Client, rep: User, customer: Customer, values: dict[str, str], message: str
) -> None:
    publish("recommender", RECOMMENDED)
    client.force_login(rep)
    assert say(client, **values).status_code == 302
    response = client.get(page_of("17850"))
    assert [str(found) for found in response.context["messages"]] == [message]
    assert Feedback.objects.count() == 0


@pytest.mark.parametrize("values", [{"customer": "nobody"}, {"customer": ""}, {"tenant": "acme"}])
def test_feedback_on_nobody_is_not_found(
    client: Client, rep: User, customer: Customer, values: dict[str, str]
) -> None:
    publish("recommender", RECOMMENDED)
    client.force_login(rep)
    assert say(client, **values).status_code == 404
    assert Feedback.objects.count() == 0


def test_feedback_on_a_foreign_customer_is_not_found(
    client: Client, other_rep: User, customer: Customer
) -> None:
    publish("recommender", RECOMMENDED)
    client.force_login(other_rep)
    assert say(client).status_code == 404
    assert Feedback.objects.count() == 0


@pytest.mark.parametrize("missing", ["crm_agents.give_feedback", "crm_agents.view_scores"])
def test_feedback_needs_its_permissions(client: Client, customer: Customer, missing: str) -> None:
    publish("recommender", RECOMMENDED)
    permissions = {"crm_data.view_customer", "crm_data.view_all_customers"}
    permissions |= {"crm_agents.give_feedback", "crm_agents.view_scores"} - {missing}
    client.force_login(staff("clerk", *permissions))
    assert say(client).status_code == 403
    assert Feedback.objects.count() == 0


def test_feedback_is_a_post_with_a_token(rep: User, customer: Customer) -> None:
    publish("recommender", RECOMMENDED)
    client = Client(enforce_csrf_checks=True)
    client.force_login(rep)
    assert say(client).status_code == 403
    assert client.get(reverse("admin:crm_agents_customer_feedback")).status_code == 405
    assert Feedback.objects.count() == 0


def test_the_list_has_the_visible_customers_by_name_with_their_tier(
    client: Client, rep: User, other_rep: User, customer: Customer
) -> None:
    Customer.objects.create(code="A2", name="Antique Hall", owner=rep)
    Customer.objects.create(code="F1", name="Foreign", owner=other_rep)
    publish("churn", CHURN)
    client.force_login(rep)
    response = client.get(reverse(LIST))
    assert [row["name"] for row in response.context["rows"]] == ["Antique Hall", "Corner <Shop>"]
    cells = [[cell and (cell.text, cell.tone) for cell in row["cells"]] for row in response.context["rows"]]
    assert cells == [[None], [("high", "high")]]
    assert page_of("17850") in response.content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [("corner", ["17850"]), ("178", ["17850"]), ("7850", []), ("  Shop ", ["17850"]), ("", ["17850", "Z"])],
)
def test_the_list_is_searched_by_name_and_number(
    client: Client, manager: User, customer: Customer, query: str, found: list[str]
) -> None:
    Customer.objects.create(code="Z", name="Zebra")
    client.force_login(manager)
    response = client.get(reverse(LIST), {"q": query})
    assert [row["id"] for row in response.context["rows"]] == found


def test_a_search_without_a_hit_says_so(client: Client, manager: User) -> None:
    client.force_login(manager)
    html = client.get(reverse(LIST), {"q": "<b>"}).content.decode()
    assert "No customer of yours has “&lt;b&gt;” in the name" in html
    assert "There are no customers that you may see." in client.get(reverse(LIST)).content.decode()


def test_the_list_is_paged_without_counting(
    client: Client, manager: User, django_assert_max_num_queries: Any
) -> None:
    Customer.objects.bulk_create(Customer(code=f"{n:03}", name=f"Shop {n:03}") for n in range(120))
    publish("churn", CHURN)
    client.force_login(manager)
    pages = [client.get(reverse(LIST), {"p": str(number), "q": "Shop"}) for number in (1, 3, 4)]
    ids = [[row["id"] for row in page.context["rows"]] for page in pages]
    assert [len(page) for page in ids] == [50, 20, 0]
    assert ids[1][0] == "100"
    assert "?p=2&amp;q=Shop" in pages[0].content.decode()
    assert 'rel="next"' not in pages[1].content.decode()
    with django_assert_max_num_queries(10) as queries:
        client.get(reverse(LIST), {"p": "x"})
    assert not [query for query in queries.captured_queries if "COUNT(" in query["sql"].upper()]


@pytest.mark.parametrize(
    "query", ["p=" + "9" * 20, "p=" + "9" * 5000, "p=0", "p=-1", "p=x", "q=%00", "q=17%00850"]
)
def test_an_odd_address_of_the_list_shows_its_first_page(
    client: Client, manager: User, customer: Customer, query: str
) -> None:
    client.force_login(manager)
    answer = client.get(f"{reverse(LIST)}?{query}")

    assert answer.status_code == 200
    assert [row["id"] for row in answer.context["rows"]] == ["17850"]


def test_the_list_hides_tiers_without_the_permission(client: Client, customer: Customer) -> None:
    publish("churn", CHURN)
    client.force_login(staff("clerk", "crm_data.view_customer", "crm_data.view_all_customers"))
    response = client.get(reverse(LIST))
    assert response.context["columns"] == []
    assert "crm-badge--high" not in response.content.decode()


def test_more_events_and_recommendations_take_no_more_queries(
    client: Client, manager: User, customer: Customer, django_assert_num_queries: Any
) -> None:
    publish("churn", CHURN)
    codes = [f"P{n}" for n in range(10)]
    items = [{"product": code, "score": 0.1, "reasons": [REPEAT]} for code in codes]
    publish("recommender", {"17850": (0.1, {"source": "model", "items": items[:1]})})
    client.force_login(manager)
    Product.objects.bulk_create(Product(code=code, name=code, category=code) for code in codes)
    client.get(page_of("17850"))
    with CaptureQueriesContext(connection) as few:
        client.get(page_of("17850"))
    for product in Product.objects.filter(code__in=codes):
        at = datetime(2011, 11, 1, tzinfo=UTC)
        Interaction.objects.create(customer=customer, product=product, kind="purchase", at=at, amount=1)
    publish("recommender", {"17850": (0.1, {"source": "model", "items": items})})
    with django_assert_num_queries(len(few.captured_queries)):
        html = client.get(page_of("17850")).content.decode()
    assert html.count('value="dismissed"') == 11


class Oracle(Recipe):
    """An agent of a third party, which knows nothing of the customer's page but its own block."""

    name = "oracle"
    title = "Oracle"
    panel_order = 5

    def customer_panel(self, request: Any, agent: Agent, customer_id: str) -> Panel | None:
        context = {"agent": agent, "item": "", "about": "the oracle", "state": None}
        return Panel(self.title, "crm_agents/feedback.html", context)


def test_a_third_partys_block_appears_by_itself_in_its_place(
    client: Client, rep: User, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(agent_recipes._recipes, "oracle", Oracle())
    client.force_login(rep)
    html = client.get(page_of("17850")).content.decode()
    names = ("profile", "oracle", "churn", "recommender", "interactions")
    places = [html.index(f'id="panel-{name}"') for name in names]
    assert places == sorted(places)
    assert say(client, agent="oracle", item="").status_code == 302
    assert Feedback.objects.get().agent.name == "oracle"


def test_every_site_has_the_pages_under_its_own_name(
    client: Client, rep: User, customer: Customer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = AdminSite(name="back_office")
    second.register(Agent, AgentAdmin)
    second.register(ChurnScore, ChurnWorklist)
    urls = ModuleType("two_sites")
    urls.urlpatterns = [path("admin/", admin.site.urls), path("office/", second.urls)]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "two_sites", urls)
    settings.ROOT_URLCONF = "two_sites"
    publish("churn", CHURN)
    client.force_login(rep)
    address = "/office/crm_agents/agent/customers/17850/"
    assert reverse("back_office:crm_agents_customer", args=["17850"]) == address
    pages = [client.get(address), client.get(reverse("back_office:crm_agents_customers"))]
    pages.append(client.get(reverse("back_office:crm_agents_churn_churnscore_changelist")))
    assert [page.status_code for page in pages] == [200, 200, 200]
    assert not [page for page in pages if 'href="/admin/' in page.content.decode()]
    assert 'action="/office/crm_agents/agent/customer-feedback/"' in pages[0].content.decode()
    assert f'href="{address}"' in pages[2].content.decode()
