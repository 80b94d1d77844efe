"""What the site adds to the admin: its name, the way to the customers, and pages for errors."""

import pytest
from django.contrib.auth.models import Permission, User
from django.template import Context, Template
from django.template.loader import get_template
from django.test import Client, RequestFactory

from crm_site.errors import bad_request, permission_denied, server_error

LINK = '<a href="/admin/crm_agents/agent/customers/">My customers</a>'
BUTTON = '<a class="crm-button" href="/admin/crm_agents/agent/customers/">My customers</a>'


def staff(*codenames: str) -> Client:
    user = User.objects.create_user("ann", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def test_the_log_in_page_says_where_one_is(client: Client, db: None) -> None:
    text = client.get("/admin/login/").content.decode()
    assert "<title>Log in | CRM agents</title>" in text
    assert "Django" not in text


@pytest.mark.parametrize("permission", ["view_scores", "view_customer"])
def test_staff_find_their_customers_on_every_page(db: None, permission: str) -> None:
    client = staff(permission)
    index = client.get("/admin/").content.decode()
    assert LINK in index
    assert BUTTON in index
    assert LINK in client.get("/admin/crm_agents/agent/customers/").content.decode()


def test_who_may_see_no_customers_gets_no_link(db: None) -> None:
    assert "My customers" not in staff("view_product").get("/admin/").content.decode()


def test_without_a_request_there_is_no_link() -> None:
    template = Template("{% load crm_agents_links %}[{% customers_url %}]")
    assert template.render(Context()) == "[]"


def test_a_missing_page_shows_the_way_back(client: Client) -> None:
    answer = client.get("/nowhere/")
    assert answer.status_code == 404
    text = answer.content.decode()
    assert "<h1>There is no such page</h1>" in text
    assert '<a class="crm-button" href="/admin/">To the start page</a>' in text
    assert "<style" not in text


def test_each_refusal_has_its_page() -> None:
    request = RequestFactory().get("/admin/")
    refused = permission_denied(request, PermissionError())
    assert (refused.status_code, b"<h1>You may not see this</h1>" in refused.content) == (403, True)
    unread = bad_request(request, ValueError())
    assert (unread.status_code, b"<h1>The request cannot be read</h1>" in unread.content) == (400, True)


def test_a_stale_form_is_explained(db: None) -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/")
    assert (answer.status_code, b"<h1>The form was not accepted</h1>" in answer.content) == (403, True)


def test_the_page_of_a_failure_needs_neither_database_nor_context() -> None:
    answer = server_error(RequestFactory().get("/admin/"))  # pytest-django refuses any query here
    assert answer.status_code == 500
    assert b"<h1>Something went wrong here</h1>" in answer.content
    assert answer.content.decode() == get_template("500.html").render()
