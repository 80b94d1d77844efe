"""A rule is made in a real browser, and the customer's list follows, under the site's own security policy."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright

from crm_data.models import Customer, Product
from tests.published import publish

pytestmark = pytest.mark.e2e

CUSTOMER = "/admin/crm_agents/agent/customers/A/"
RULES = "/admin/crm_agents_recommender/recommendationrule/"
PATIENCE = 30_000  # milliseconds, for a busy machine


@pytest.fixture
def browser_page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    # Playwright's synchronous API runs an event loop, in which Django refuses queries unless told otherwise.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.set_default_timeout(2 * PATIENCE)
        yield page
        browser.close()
        connections.close_all()  # inside the loop Django has connections of their own


@pytest.fixture
def page(transactional_db: None, live_server: Any, browser_page: Page) -> Page:
    from crm_demo.services.users import make_manager

    cache.clear()
    Customer.objects.create(code="A", name="Alder")
    for code, name, category in (
        ("P1", "Candle", "Home"),
        ("P2", "Lantern", "Home"),
        ("P3", "Spade", "Garden"),
    ):
        Product.objects.create(code=code, name=name, category=category, price=5)
    items = [{"product": f"P{number}", "score": 0.4 - number / 10, "reasons": []} for number in (1, 2, 3)]
    publish("recommender", {"A": (0.3, {"source": "model", "items": items})})
    client = Client()
    client.force_login(make_manager("manager", password=None))
    cookie = client.cookies["sessionid"].value
    browser_page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    return browser_page


def products(page: Page) -> list[str]:
    rows = page.locator("#panel-recommender tbody th").all_inner_texts()
    return [row.splitlines()[0].strip() for row in rows]


def test_a_rule_is_made_and_the_list_follows(page: Page, live_server: Any) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    page.goto(live_server.url + CUSTOMER)
    assert products(page) == ["Candle", "Lantern", "Spade"]

    page.goto(f"{live_server.url}{RULES}add/")
    page.select_option("#id_action", "pin")
    page.fill("#id_product", "P9")
    page.click("input[name=_save]")
    expect(page.locator(".errorlist")).to_contain_text(
        "There is no product 'P9' in the catalogue", timeout=PATIENCE
    )
    page.fill("#id_product", "P3")
    page.fill("#id_note", "Spring campaign")
    page.click("input[name=_save]")
    expect(page.locator("#result_list")).to_contain_text("Spade (P3)", timeout=PATIENCE)

    page.goto(live_server.url + CUSTOMER)
    assert products(page) == ["Spade", "Candle", "Lantern"]
    expect(page.locator("#panel-recommender")).to_contain_text("Pinned by a rule. Spring campaign")

    page.get_by_text("Narrow or reorder the list").click()
    page.fill("#id_rec-category", "Home")
    page.locator("#panel-recommender form[method=get] button").click()
    expect(page.locator("#panel-recommender tbody th")).to_have_count(2, timeout=PATIENCE)
    assert products(page) == ["Candle", "Lantern"]
    assert page.url.endswith("#panel-recommender")

    page.goto(f"{live_server.url}{RULES}preview/?customer=A")
    expect(page.locator(".crm-ranks").nth(1).locator("li").first).to_contain_text("was 3")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert complaints == []
