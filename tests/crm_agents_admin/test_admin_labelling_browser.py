"""The labelling queue in a real browser, by keyboard alone, under the site's own security policy."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright

from crm_agents.models import Agent, Annotation, LabelItem, LabelSet
from crm_agents.services.labelling.sets import create_label_set
from crm_data.models import Customer
from tests.crm_agents_admin.support import signed_in, staff

pytestmark = pytest.mark.e2e

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHOICES = [{"value": "left", "text": "Has left"}, {"value": "stayed", "text": "Stays"}]


@pytest.fixture
def browser_page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    # Playwright's synchronous API runs an event loop, in which Django refuses queries unless told otherwise.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser.new_page()
        browser.close()
        connections.close_all()  # inside the loop Django has connections of their own


@pytest.fixture
def label_set(transactional_db: None, agent: Agent) -> LabelSet:
    owner = staff("owner", "annotate")
    made = create_label_set(agent, name="Left", subject="customer", question="Left?", choices=CHOICES)
    for place in range(1, 6):
        Customer.objects.create(code=f"C{place}", name=f"Shop {place}", owner=owner)
        LabelItem.objects.create(label_set=made, customer_id=f"C{place}", at=AT, place=place)
    return made


@pytest.fixture
def client(label_set: LabelSet) -> Client:
    from django.contrib.auth.models import User

    return signed_in(User.objects.get(username="owner"))


def said() -> list[tuple[str, str, str, str]]:
    rows = Annotation.objects.order_by("pk").values_list("item__customer_id", "kind", "label", "reason")
    return list(rows)


def open_queue(page: Page, live_server: Any, client: Client, label_set: LabelSet) -> list[str]:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if "Security Policy" in message.text else None,
    )
    cookie = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    page.goto(f"{live_server.url}/admin/crm_agents/labelset/{label_set.pk}/annotate/")
    return complaints


def test_five_items_are_labelled_without_a_mouse(
    live_server: Any, browser_page: Page, client: Client, label_set: LabelSet
) -> None:
    page = browser_page
    complaints = open_queue(page, live_server, client, label_set)
    name = page.locator("[data-current] h2").first
    done = page.locator("[data-progress]")
    expect(name).to_have_text("Shop 1")

    page.keyboard.press("1")
    expect(name).to_have_text("Shop 2")
    expect(done).to_have_text("1 of 5 labelled")
    page.keyboard.press("s")
    expect(name).to_have_text("Shop 3")
    page.keyboard.press("t")
    expect(name).to_have_text("Shop 4")
    page.keyboard.press("r")
    page.keyboard.type("1 of the regulars")  # keys in the field are words, not answers
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    expect(name).to_have_text("Shop 5")
    expect(done).to_have_text("3 of 5 labelled")

    page.keyboard.press("u")
    expect(name).to_have_text("Shop 4")
    expect(done).to_have_text("2 of 5 labelled")
    expect(page.locator("[data-current] [name=reason]")).to_have_value("1 of the regulars")
    page.keyboard.press("1")
    expect(name).to_have_text("Shop 5")
    page.keyboard.press("1")
    expect(name).to_have_text("Shop 2")  # the skipped one, after the rest
    page.keyboard.press("1")
    expect(page.locator("[data-empty]")).to_be_visible()
    expect(done).to_have_text("5 of 5 labelled")
    page.keyboard.press("?")
    expect(page.locator("[data-help]")).to_have_attribute("open", "")

    assert said() == [
        ("C1", "label", "left", ""),
        ("C2", "skip", "", ""),
        ("C3", "cannot_tell", "", ""),
        ("C4", "label", "stayed", "1 of the regulars"),
        ("C4", "withdrawn", "", ""),
        ("C4", "label", "left", "1 of the regulars"),
        ("C5", "label", "left", ""),
        ("C2", "label", "left", ""),
    ]
    assert all(row.seconds is not None for row in Annotation.objects.exclude(kind="withdrawn"))
    assert complaints == []


def test_quick_answers_wait_and_nothing_unseen_is_answered(
    live_server: Any, browser_page: Page, client: Client, label_set: LabelSet
) -> None:
    page = browser_page
    open_queue(page, live_server, client, label_set)
    name = page.locator("[data-current] h2").first
    held: list[Any] = []
    page.route("**/answer/", lambda route: held.append(route), times=1)
    page.keyboard.press("1")
    expect(name).to_have_text("Shop 2")  # at once: it was loaded already
    page.keyboard.press("2")
    page.keyboard.press("2")  # still looking at Shop 2
    held[0].continue_()

    expect(name).to_have_text("Shop 3")
    expect(page.locator("[data-progress]")).to_have_text("2 of 5 labelled")
    assert [(row[0], row[2]) for row in said()] == [("C1", "left"), ("C2", "stayed")]


def test_a_lost_answer_is_asked_again(
    live_server: Any, browser_page: Page, client: Client, label_set: LabelSet
) -> None:
    page = browser_page
    open_queue(page, live_server, client, label_set)
    name = page.locator("[data-current] h2").first
    page.route("**/answer/", lambda route: route.abort())
    page.keyboard.press("1")
    expect(page.locator("[data-trouble]")).to_be_visible()
    expect(name).to_have_text("Shop 1")
    assert said() == []

    page.unroute("**/answer/")
    page.keyboard.press("2")
    expect(name).to_have_text("Shop 2")
    expect(page.locator("[data-trouble]")).to_be_hidden()
    expect(page.locator("[data-progress]")).to_have_text("1 of 5 labelled")
    assert said() == [("C1", "label", "stayed", "")]


def test_without_the_script_the_forms_do(
    live_server: Any, browser_page: Page, client: Client, label_set: LabelSet
) -> None:
    page = browser_page
    page.route("**/labelling.js", lambda route: route.abort())
    open_queue(page, live_server, client, label_set)
    page.locator("[data-current] button", has_text="Has left").click()
    expect(page.locator("[data-current] h2").first).to_have_text("Shop 2")
    page.get_by_role("button", name="Undo the last answer").click()
    expect(page.locator("[data-current] h2").first).to_have_text("Shop 1")
    expect(page.locator("[data-progress]")).to_have_text("0 of 5 labelled")

    assert [row[1] for row in said()] == ["label", "withdrawn"]
