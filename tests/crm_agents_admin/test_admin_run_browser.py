"""The run page in a real browser: its script follows the run, under the site's own security policy."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright

from crm_agents.models import RunStatus, TrainingRun
from tests.crm_agents_admin.support import AT

pytestmark = pytest.mark.e2e


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


def test_the_page_follows_the_run_to_its_end(
    transactional_db: None, live_server: Any, browser_page: Page, viewer: Client, run: TrainingRun
) -> None:
    complaints: list[str] = []
    browser_page.on("pageerror", lambda error: complaints.append(str(error)))
    browser_page.on(
        "console",
        lambda message: complaints.append(message.text) if "Security Policy" in message.text else None,
    )
    cookie = viewer.cookies["sessionid"].value
    browser_page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    browser_page.goto(f"{live_server.url}/admin/crm_agents/trainingrun/{run.pk}/change/")
    step = browser_page.locator('[data-text="step_text"]')
    expect(step).to_have_text("3 of 10")

    progress = {"phase": "evaluating", "step": 7, "of": 8, "metrics": {"brier": 0.2}}
    TrainingRun.objects.filter(pk=run.pk).update(
        status=RunStatus.EVALUATING,
        progress=progress,
        log_tail="soon",
        started_at=AT + timedelta(hours=1),
        attempts=2,
    )
    expect(step).to_have_text("7 of 8")
    expect(browser_page.locator("progress")).to_have_js_property("value", 88)
    expect(browser_page.locator('[data-stage="evaluating"]')).to_have_attribute("aria-current", "step")
    expect(browser_page.locator('[data-stage="training"]')).to_have_attribute("data-state", "done")
    expect(browser_page.locator("[data-metrics]")).to_have_text("Brier score0.2000")
    expect(browser_page.locator("[data-status] .crm-badge")).to_have_text("evaluating")
    expect(browser_page.locator(".crm-log")).to_have_text("soon")
    expect(browser_page.locator('[data-text="started_text"]')).to_have_text("Sept. 9, 2011, 1 p.m.")
    expect(browser_page.locator('[data-text="attempts_text"]')).to_have_text("2")

    TrainingRun.objects.filter(pk=run.pk).update(status=RunStatus.FAILED, error="The disk is full.")
    expect(browser_page.locator(".crm-note--bad")).to_contain_text("The disk is full.")
    assert complaints == []


def test_a_lost_connection_is_said_and_got_over(
    transactional_db: None, live_server: Any, browser_page: Page, viewer: Client, run: TrainingRun
) -> None:
    cookie = viewer.cookies["sessionid"].value
    browser_page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    browser_page.goto(f"{live_server.url}/admin/crm_agents/trainingrun/{run.pk}/change/")
    trouble = browser_page.locator("[data-trouble]")
    browser_page.route("**/progress/", lambda route: route.abort())
    expect(trouble).to_have_text("The connection is lost; trying again.")
    expect(trouble).to_be_visible()

    browser_page.unroute("**/progress/")
    expect(trouble).to_be_hidden(timeout=10_000)
