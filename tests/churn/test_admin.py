import csv
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from churn.models import ChurnScore
from crm_data.models import Customer
from tests.published import Answer, publish

pytestmark = pytest.mark.django_db

URL = "admin:crm_agents_churn_churnscore_changelist"

OVERDUE = {"code": "overdue", "direction": "up", "usual_gap_days": 18, "days_since": 74}
REGULAR = {"code": "regular", "direction": "down", "orders": 12, "days": 365}
ANSWERS: dict[str, Answer] = {
    "M": (0.5, {"before": 0.45, "reasons": []}),
    "H": (0.81, {"before": 0.6, "reasons": [OVERDUE, REGULAR]}),
    "U": (None, {"missing": [{"code": "inactive", "days": 365}]}),
    "L": (0.1, {"before": 0.4, "reasons": []}),
}


@pytest.fixture(autouse=True)
def customers(rep: User, other_rep: User) -> None:
    for code, name, owner in (
        ("H", "=High & Co", rep),
        ("M", "Middle", rep),
        ("L", "Low", other_rep),
        ("U", "Unknown", rep),
    ):
        Customer.objects.create(code=code, name=name, owner=owner)


def listed(client: Client, **query: str) -> list[str]:
    response = client.get(reverse(URL), query)
    assert response.status_code == 200
    return [row.customer_id for row in response.context["cl"].result_list]


def test_the_highest_risk_comes_first_and_no_answer_last(client: Client, manager: User) -> None:
    publish("churn", ANSWERS)
    client.force_login(manager)
    assert listed(client) == ["H", "M", "L", "U"]


def test_a_rep_sees_only_own_customers(client: Client, rep: User, other_rep: User) -> None:
    publish("churn", ANSWERS)
    client.force_login(rep)
    assert listed(client) == ["H", "M", "U"]
    client.force_login(other_rep)
    assert listed(client) == ["L"]


def test_only_live_scores_are_listed(client: Client, manager: User) -> None:
    publish("churn", ANSWERS)
    publish("churn", {"M": (0.9, {"before": 0.9, "reasons": []})})
    client.force_login(manager)
    assert listed(client) == ["M"]
    assert ChurnScore.objects.count() == 5


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"tier__exact": "high"}, ["H"]),
        ({"tier__exact": "unknown"}, ["U"]),
        ({"trend__exact": "falling"}, ["L"]),
        ({"q": "mid"}, ["M"]),
        ({"q": "low"}, ["L"]),
        ({"q": "nobody"}, []),
        ({"o": "3"}, ["U", "L", "M", "H"]),
    ],
)
def test_the_list_is_filtered_searched_and_sorted(
    client: Client, manager: User, query: dict[str, str], found: list[str]
) -> None:
    publish("churn", ANSWERS)
    client.force_login(manager)
    assert listed(client, **query) == found


def test_a_search_finds_no_foreign_customer(client: Client, rep: User) -> None:
    publish("churn", ANSWERS)
    client.force_login(rep)
    assert listed(client, q="Low") == []


def test_a_row_says_who_how_likely_and_why(client: Client, manager: User) -> None:
    publish("churn", ANSWERS)
    client.force_login(manager)
    html = client.get(reverse(URL)).content.decode()
    for text in (
        f'<a href="{reverse("admin:crm_agents_customer", args=["H"])}">=High &amp; Co</a>',
        "81 %",
        '<span class="crm-badge crm-badge--high">high</span>',
        '<span class="crm-badge crm-badge--rising">risk rising</span>',
        "Usually orders every 18 days; last order 74 days ago.",
        "No purchase in the last 365 days.",
        "As of Dec. 9, 2011, version 1.",
    ):
        assert text in html, text


def test_before_anything_is_live_the_list_says_why(client: Client, manager: User) -> None:
    client.force_login(manager)
    assert "This agent has not been trained yet." in client.get(reverse(URL)).content.decode()


def test_scores_need_their_own_permission(client: Client) -> None:
    publish("churn", ANSWERS)
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_churnscore"))
    client.force_login(clerk)
    assert client.get(reverse(URL)).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_scores"))
    assert client.get(reverse(URL)).status_code == 200


def test_nobody_edits_a_score(client: Client, admin_client: Client, rep: User) -> None:
    publish("churn", ANSWERS)
    row, foreign = ChurnScore.objects.get(customer_id="H"), ChurnScore.objects.get(customer_id="L")
    assert admin_client.get(reverse("admin:crm_agents_churn_churnscore_add")).status_code == 403
    change, other = (reverse("admin:crm_agents_churn_churnscore_change", args=[x.pk]) for x in (row, foreign))
    client.force_login(rep)
    response = client.get(change)
    assert (response.status_code, response["Location"]) == (
        302,
        reverse("admin:crm_agents_customer", args=["H"]),
    )
    assert client.get(other).status_code == 404
    assert client.get(reverse("admin:crm_agents_churn_churnscore_delete", args=[row.pk])).status_code == 403


def exported(client: Client, *customers: str) -> list[list[str]]:
    ticked = [str(row.pk) for row in ChurnScore.objects.filter(customer_id__in=customers)]
    values = {"action": "export_csv", "_selected_action": ticked, "select_across": "1"}
    response = client.post(reverse(URL), values)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(StringIO(response.getvalue().decode("utf-8-sig"))))


def test_the_export_has_what_the_list_has(client: Client, rep: User) -> None:
    publish("churn", ANSWERS)
    client.force_login(rep)
    header, first, *rest = exported(client, "H")
    assert header == ["number", "customer", "score", "tier", "trend", "reasons", "as of"]
    assert first == [
        "H",
        "'=High & Co",  # no spreadsheet takes it for a formula
        "0.81",
        "high",
        "risk rising",
        "Usually orders every 18 days; last order 74 days ago. (raises the risk) "
        "Ordered 12 times in the last 365 days. (lowers the risk)",
        "2011-12-09T12:50:00+00:00",
    ]
    assert [line[0] for line in rest] == ["M", "U"]


def test_a_long_list_takes_as_few_queries_as_a_short_one(
    client: Client, manager: User, django_assert_num_queries: Any
) -> None:
    client.force_login(manager)
    publish("churn", ANSWERS)
    client.get(reverse(URL))  # the first answer fills caches
    Customer.objects.bulk_create(Customer(code=f"C{n}", name=f"Shop {n}") for n in range(120))
    publish("churn", {f"C{n}": (n / 200, {"before": None, "reasons": [OVERDUE]}) for n in range(120)})
    with django_assert_num_queries(11) as queries:
        assert len(listed(client)) == 50
    counts = [query["sql"] for query in queries.captured_queries if "COUNT(" in query["sql"].upper()]
    assert all("LIMIT 10001" in sql for sql in counts)
    with django_assert_num_queries(14):
        assert len(exported(client, "C1")) == 121
