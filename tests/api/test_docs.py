from typing import Any

import pytest


def test_the_page_needs_a_log_in(client: Any, db: None) -> None:
    answer = client.get("/api/v1/docs/")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/admin/login/?next=/api/v1/docs/"


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere(client: Any, rep: Any) -> None:
    client.force_login(rep)
    answer = client.get("/api/v1/docs/")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert page.count("<script src=") == page.count("<script") == 2
    assert "<style" not in page
    assert " style=" not in page
    assert "http" not in page
    assert 'data-schema-url="/api/v1/schema/"' in page


@pytest.mark.e2e
def test_swagger_ui_renders_and_calls_under_the_strict_policy(
    live_server: Any, client: Any, rep: Any, customers: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from playwright.sync_api import expect, sync_playwright

    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright runs a loop in this thread
    client.force_login(rep)
    paths = client.get("/api/v1/schema/?format=json").json()["paths"].values()
    operations = sum(method in path for path in paths for method in ("get", "post", "put", "patch", "delete"))
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1200, "height": 1600})
        context.add_cookies(
            [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
        )
        page = context.new_page()
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(request.url))
        page.goto(f"{live_server.url}/api/v1/docs/")
        expect(page.locator(".opblock")).to_have_count(operations)
        page.locator("#operations-customers-customers_list .opblock-summary-control").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute", exact=True).click()
        expect(page.locator(".live-responses-table .microlight").first).to_contain_text("Alder & Sons")
        page.screenshot(path=tmp_path / "docs.png")
        browser.close()
    assert complaints == []
