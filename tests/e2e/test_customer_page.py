"""Staff at work, in headless Chromium, on a demo with a real worker. Screenshots are kept."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.e2e.running import ROOT, Demo, own_environment

pytestmark = [pytest.mark.e2e, pytest.mark.worker, pytest.mark.timeout(900)]

CUSTOMERS = "/admin/crm_agents/agent/customers/"
AGENTS = ("churn", "recommender")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that is up, both agents published: where the gate held one back, with a reason."""
    with own_environment(tmp_path_factory.mktemp("browser") / "var") as environment:
        running = Demo(environment, ["--customers", "700"])
        try:
            running.wait_until_up()
            for agent in AGENTS:
                publish(agent, environment)
            yield running
        finally:
            running.interrupt()


def publish(agent: str, environment: dict[str, str]) -> None:
    if is_live(agent, environment):
        return
    manage(environment, "agent", "promote", agent, "1", "--reason", "A small shop: shown in a test.")
    deadline = time.monotonic() + 120
    while not is_live(agent, environment):
        assert time.monotonic() < deadline, f"{agent} was promoted and is not live."
        time.sleep(1)


def is_live(agent: str, environment: dict[str, str]) -> bool:
    lines = manage(environment, "agent", "list").splitlines()
    return any(line.split("\t")[0] == agent and line.split("\t")[-1].startswith("v") for line in lines)


def manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@dataclass
class Staff:
    """A member of staff who has logged in, and what the browser complained of."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._note)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, path: str) -> int:
        """Go to a path of the site and return the answer's status."""
        response = self.page.goto(self.url + path)
        assert response is not None
        return response.status


def log_in(browser: Browser, demo: Demo, username: str) -> Staff:
    staff = Staff(browser.new_context(viewport={"width": 1280, "height": 1600}).new_page(), demo.url)
    staff.listen()
    staff.open("/admin/")
    staff.page.fill("#id_username", username)
    staff.page.fill("#id_password", demo.logins[username])
    staff.page.click("input[type=submit]")
    expect(staff.page.locator("#user-tools")).to_contain_text(username, ignore_case=True)
    return staff


@pytest.fixture
def anna(browser: Browser, demo: Demo) -> Iterator[Staff]:
    staff = log_in(browser, demo, "anna")
    yield staff
    staff.page.context.close()


@pytest.fixture
def boss(browser: Browser, demo: Demo) -> Iterator[Staff]:
    staff = log_in(browser, demo, "manager")
    yield staff
    staff.page.context.close()


def open_a_customer_at_risk(staff: Staff) -> str:
    """Open the first listed customer with a churn warning and return the customer's number."""
    staff.open(CUSTOMERS)
    row = staff.page.locator("#content-main tbody tr", has=staff.page.locator(".crm-badge")).first
    number = row.locator("td").first.inner_text()
    row.locator("a").click()
    expect(staff.page.locator("#content-main")).to_contain_text(number)
    return number


def test_a_rep_sees_profile_risk_and_recommendations_with_reasons(anna: Staff, artefacts: Path) -> None:
    open_a_customer_at_risk(anna)
    page = anna.page
    expect(page.locator("#panel-profile")).to_contain_text("Orders")
    expect(page.locator("#panel-churn .crm-number")).to_contain_text("%")
    expect(page.locator("#panel-churn .crm-reasons li").first).not_to_be_empty()
    items = page.locator("#panel-recommender tbody tr")
    assert items.count() >= 3
    expect(items.first.locator("td").first).not_to_be_empty()
    expect(page.locator("#panel-interactions tbody tr").first).to_be_visible()
    page.screenshot(path=artefacts / "customer.png", full_page=True)
    assert anna.complaints == []


def test_the_page_fits_a_telephone_and_a_dark_room(anna: Staff, artefacts: Path) -> None:
    anna.page.set_viewport_size({"width": 390, "height": 844})
    anna.page.emulate_media(color_scheme="dark")
    open_a_customer_at_risk(anna)
    width = anna.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    anna.page.screenshot(path=artefacts / "customer-telephone-dark.png", full_page=True)
    assert anna.complaints == []


def test_a_rep_accepts_a_recommendation(anna: Staff) -> None:
    open_a_customer_at_risk(anna)
    first = anna.page.locator("#panel-recommender tbody tr").first
    first.get_by_role("button", name="Accept").click()
    said = anna.page.locator("#panel-recommender tbody tr").first.locator(".crm-said")
    expect(said).to_contain_text("by anna")
    assert anna.complaints == []


def test_a_purchase_changes_the_list_of_its_customer_within_seconds(boss: Staff, artefacts: Path) -> None:
    number = open_a_customer_at_risk(boss)
    panel = boss.page.locator("#panel-recommender")
    expect(panel).not_to_contain_text("after an interaction")
    rest, address = boss.page.context.request, f"{boss.url}/api/v1/customers/{number}/recommendations/"
    before = rest.get(address).json()
    product = before["items"][-1]["product"]
    bought = {"customer": number, "kind": "purchase", "product": product, "quantity": 40, "amount": 400}
    row = {**bought, "at": datetime.now(UTC).isoformat()}
    token = next(each["value"] for each in boss.page.context.cookies() if each["name"] == "csrftoken")
    headers = {"X-CSRFToken": token, "Referer": boss.url}
    answer = rest.post(f"{boss.url}/api/v1/interactions/", data={"rows": [row]}, headers=headers)
    assert (answer.status, answer.json()) == (201, {"recorded": 1})
    deadline = time.monotonic() + 30  # the model may still be loading; a second or two once it is
    while (now := rest.get(address).json())["refreshed_at"] is None:
        assert time.monotonic() < deadline, "The list was not refreshed."
        time.sleep(0.1)
    assert now["items"] != before["items"]
    boss.page.reload()
    expect(panel).to_contain_text("after an interaction.")
    boss.page.screenshot(path=artefacts / "fresh.png", full_page=True)
    assert boss.complaints == []


def test_a_rep_sees_own_customers_alone(anna: Staff, boss: Staff) -> None:
    # The simulator deals customers out in turn: even numbers to anna, odd ones to wei.
    anna.open(CUSTOMERS)
    numbers = anna.page.locator("#content-main tbody tr td:nth-child(2)").all_inner_texts()
    assert numbers
    assert all(int(number[1:]) % 2 == 0 for number in numbers)
    assert boss.open(f"{CUSTOMERS}C0000001/") == 200
    assert anna.open(f"{CUSTOMERS}C0000001/") == 404
    assert "C0000001" not in anna.page.locator("body").inner_text().replace(anna.page.url, "")


def test_a_manager_starts_a_run_and_follows_it(boss: Staff, artefacts: Path) -> None:
    page = boss.page
    boss.open("/admin/crm_agents/agent/")
    page.locator("#result_list tbody a").first.click()
    page.get_by_role("link", name="Start a run").click()
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#crm-run")).to_be_visible()
    expect(page.locator('[data-stage="training"][data-state="now"]')).to_be_visible(timeout=120_000)
    step = page.locator('[data-text="step_text"]')
    expect(step).to_contain_text("of")
    before = step.inner_text()
    expect(step).not_to_have_text(before, timeout=60_000)
    page.screenshot(path=artefacts / "run.png", full_page=True)
    page.get_by_role("link", name="Cancel the run").click()
    page.locator("form.crm-form button[type=submit]").click()
    expect(page.locator("[data-status] .crm-badge")).to_have_text("cancelled", timeout=60_000)
    assert boss.complaints == []


def test_a_rep_cannot_start_a_run(anna: Staff) -> None:
    assert anna.open("/admin/crm_agents/agent/1/start/") == 403


def test_a_manager_reads_the_model_card(boss: Staff, artefacts: Path) -> None:
    boss.open("/admin/crm_agents/modelversion/")
    boss.page.locator("#result_list tbody a").first.click()
    expect(boss.page.locator("svg").first).to_be_visible()
    boss.page.screenshot(path=artefacts / "model-card.png", full_page=True)
    assert boss.complaints == []
