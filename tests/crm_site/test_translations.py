"""Simplified Chinese is complete, up to date and compiled, and readers get it."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polib
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils.translation import gettext, ngettext, npgettext, override, pgettext

from crm_data.models import Customer, Interaction, Product
from tests.published import Answer, publish

ROOT = Path(__file__).parents[2]
LANGUAGE = "zh_Hans"
ROOMS = (
    "crm_agents",
    "crm_data",
    "crm_demo",
    "crm_site",
    "profiling",
    "recommender",
    "churn",
    "templates",
)
TRANSLATED = ("crm_agents", "crm_data", "crm_site", "profiling", "recommender", "churn", "templates")
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-#0+]*\d*(?:\.\d+)?[a-z]")
COLLECT = ("makemessages", "-l", LANGUAGE, "--no-obsolete", "--add-location", "file")

Key = tuple[str | None, str, str]


def catalogue(room: str, root: Path = ROOT) -> Path:
    return root / room / "locale" / LANGUAGE / "LC_MESSAGES" / "django.po"


def key(entry: polib.POEntry | polib.MOEntry) -> Key:
    return entry.msgctxt, entry.msgid, entry.msgid_plural


def translations(entry: polib.POEntry | polib.MOEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def placeholders(text: str) -> Counter[str]:
    return Counter(PLACEHOLDER.findall(text.replace("%%", "")))


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    """Undo the language of a request: it stays with the thread, and the next test has the same."""
    with override("en"):
        yield


@pytest.fixture(params=TRANSLATED)
def room(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def entries(room: str) -> polib.POFile:
    return polib.pofile(str(catalogue(room)))


def test_every_text_is_translated(entries: polib.POFile) -> None:
    assert [entry.msgid for entry in entries if not all(translations(entry))] == []
    assert [entry.msgid for entry in entries if entry.fuzzy or entry.obsolete] == []


def test_chinese_has_one_form_for_every_count(entries: polib.POFile) -> None:
    assert entries.metadata["Plural-Forms"] == "nplurals=1; plural=0;"
    assert {len(entry.msgstr_plural) for entry in entries if entry.msgid_plural} <= {1}


def test_placeholders_are_those_of_the_english_text(entries: polib.POFile) -> None:
    different = [
        entry.msgid
        for entry in entries
        for text in translations(entry)
        if placeholders(text) != placeholders(entry.msgid_plural or entry.msgid)
    ]
    assert different == []


def test_no_other_app_says_a_text_in_its_own_way(entries: polib.POFile) -> None:
    """All apps share one catalogue, where the first of INSTALLED_APPS wins: a context parts two meanings."""
    with override("zh-hans"):
        shown = {key(entry): _shown(entry) for entry in entries}
    assert shown == {key(entry): translations(entry)[0] for entry in entries}


def _shown(entry: polib.POEntry) -> str:
    if entry.msgid_plural:
        counted = entry.msgid, entry.msgid_plural, 2
        return npgettext(entry.msgctxt, *counted) if entry.msgctxt else ngettext(*counted)
    return pgettext(entry.msgctxt, entry.msgid) if entry.msgctxt else gettext(entry.msgid)


def test_a_catalogue_is_compiled_as_it_stands(room: str, entries: polib.POFile) -> None:
    compiled = polib.mofile(str(catalogue(room).with_suffix(".mo")))
    assert {key(entry): translations(entry) for entry in compiled} == {
        key(entry): translations(entry) for entry in entries
    }


def test_a_catalogue_holds_the_texts_of_the_code_and_no_others(
    room: str, entries: polib.POFile, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
    collect(tmp_path / room)
    collected = polib.pofile(str(catalogue(room, tmp_path)))
    assert {key(entry) for entry in collected} == {key(entry) for entry in entries}


def collect(folder: Path) -> None:
    """Run makemessages on `folder` alone, as `make messages` does."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "django",
        *COLLECT,
    ]  # -P: selectors.py here is not the standard one
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_text_hides_in_an_f_string(room: str) -> None:
    """There it would be shown in English, since makemessages does not look inside."""
    found = []
    for path in sorted((ROOT / room).rglob("*.py")):
        parts = (part for part in ast.walk(ast.parse(path.read_text())) if isinstance(part, ast.JoinedStr))
        calls = (call for part in parts for call in ast.walk(part) if isinstance(call, ast.Call))
        names = {call.func.id for call in calls if isinstance(call.func, ast.Name)}
        found += [path.name for name in names if name == "_" or "gettext" in name]
    assert found == []


def test_a_room_without_a_catalogue_has_no_text_of_its_own(tmp_path: Path) -> None:
    for name in sorted(set(ROOMS) - set(TRANSLATED)):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        (tmp_path / name / "locale").mkdir()
        collect(tmp_path / name)
        assert not catalogue(name, tmp_path).exists()


OVERDUE = {"code": "overdue", "direction": "up", "usual_gap_days": 18, "days_since": 74}
SPENT = {"code": "spend_down", "direction": "up", "recent": 120, "before": 1480.5, "days": 90}
REGULAR = {"code": "regular", "direction": "down", "orders": 12, "days": 365}
CHURN: dict[str, Answer] = {
    "17850": (0.81, {"before": 0.6, "reasons": [OVERDUE, SPENT, REGULAR]}),
    "X": (None, {"missing": [{"code": "inactive", "days": 365}]}),
}
REPEAT = {"code": "repeat", "times": 6, "usual_gap_days": 30, "days_since": 35}
TOGETHER = {"code": "bought_with", "product": "22423", "customers": 41}
ITEMS = [{"product": "22423", "score": 0.312, "reasons": [REPEAT, TOGETHER]}]
RECOMMENDED: dict[str, Answer] = {"17850": (0.312, {"source": "model", "items": ITEMS})}


@pytest.fixture
def scored(rep: User) -> None:
    """Customer 17850 with live answers of both agents, and X without information."""
    customer = Customer.objects.create(code="17850", name="Corner", owner=rep, since="2010-12-01")
    Customer.objects.create(code="X", name="Quiet", owner=rep)
    product = Product.objects.create(code="22423", name="Cake stand", category="Kitchen", price="12.75")
    at = datetime(2011, 12, 1, 10, tzinfo=UTC)
    Interaction.objects.create(
        customer=customer, product=product, kind="purchase", at=at, quantity=2, amount="25.50", basket="I9"
    )
    publish("churn", CHURN)
    publish("recommender", RECOMMENDED)


def chinese(client: Client, customer: str) -> str:
    url = reverse("admin:crm_agents_customer", args=[customer])
    return client.get(url, headers={"accept-language": "zh-CN,zh;q=0.9"}).content.decode()


@pytest.mark.django_db
@pytest.mark.usefixtures("scored")
def test_the_customers_page_gives_its_reasons_in_chinese(client: Client, rep: User) -> None:
    client.force_login(rep)
    html = chinese(client, "17850")
    assert '<html lang="zh-hans"' in html
    expected = (
        "流失预警",
        "高风险",
        "风险上升",
        "通常每 18 天下单一次；上次下单：74 天前。",
        "最近 90 天消费 120.00 GBP，此前 90 天为 1480.50 GBP。",
        "最近 365 天内下单 12 次。",
        "购买过 6 次，约每 30 天复购；最近一次：35 天前。",
        "购买过“Cake stand”的客户也购买了此产品（41 位客户）。",
        "截至2011年12月9日，版本 1。",
        "采纳",
        "有误",
        ">购买</td>",
    )
    assert [text for text in expected if text not in html] == []


@pytest.mark.django_db
@pytest.mark.usefixtures("scored")
def test_what_is_missing_is_said_in_chinese(client: Client, rep: User) -> None:
    client.force_login(rep)
    html = chinese(client, "X")
    assert "信息不足" in html
    assert "最近 365 天内没有购买。" in html
    assert "2011年12月9日的评分不包含此客户；之后新增的客户会在下一次评分。" in html


@pytest.mark.django_db
@pytest.mark.usefixtures("scored")
def test_rest_answers_in_the_language_of_the_request(client: Client, rep: User) -> None:
    client.force_login(rep)
    url = "/api/v1/customers/X/churn/"
    assert client.get(url, headers={"accept-language": "zh-hans"}).json()["missing"] == [
        {"code": "inactive", "text": "最近 365 天内没有购买。"}
    ]
    assert client.get(url).json()["missing"] == [
        {"code": "inactive", "text": "No purchase in the last 365 days."}
    ]


@pytest.mark.django_db
def test_errors_of_the_site_are_translated_too(client: Client) -> None:
    answer = client.get("/api/v1/nothing/", headers={"accept-language": "zh-hans"})
    assert answer.json()["detail"] == "没有这个地址；API 说明见 /api/v1/docs/。"


def test_sentences_stand_together_without_a_space_in_chinese() -> None:
    from crm_agents.words import joined

    assert joined(["One.", "Two.", "Three."]) == "One. Two. Three."
    assert joined([]) == ""
    with override("zh-hans"):
        assert joined(["一。", "二。"]) == "一。二。"
