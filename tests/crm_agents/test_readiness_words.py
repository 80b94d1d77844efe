"""A data check in words: every code has a sentence and a remedy, and none shows a raw fact."""

from typing import Any

import pytest

from crm_agents.readiness_words import REMEDY, field_label, finding_entries, share
from handoff.inspection import REMEDIES

FACTS: dict[str, Any] = {
    "have": 12,
    "label": "complaint",
    "need": 50,
    "window": "validation",
    "count": 1204,
    "positives": 60,
    "share": 0.0498,
    "kind": "purchase",
    "rows": 98_765,
    "first": "2011-03-04T10:00:00+00:00",
    "last": "2011-12-09T12:50:00+00:00",
    "nulls": 4321,
    "low": 0.5,
    "high": 420.0,
    "worst": [168469.6, 77183.6],
    "week": "2011-02-07",
    "duplicates": 300,
    "usual": 210.0,
    "weeks": 3,
    "longest": 2,
    "value": "France",
    "values": 4300,
    "auc": 0.9931,
    "filled_positives": 0.97,
    "filled_negatives": 0.01,
    "watermark": "2011-12-10T00:00:00+00:00",
}


@pytest.mark.parametrize("code", sorted(REMEDIES))
def test_every_code_is_a_sentence_with_a_remedy(code: str) -> None:
    finding = {"code": code, "severity": "warn", "field": "events.amount", "remedy": REMEDIES[code]}
    [entry] = finding_entries([{**finding, "facts": FACTS}])
    assert entry["text"].endswith(".")
    assert "Look at this in the data" not in entry["text"]
    assert "%" not in entry["text"].replace(" %", "")
    assert "T10:00" not in entry["text"]
    assert entry["remedy"] == str(REMEDY[REMEDIES[code]])


def test_sentences_are_those_a_person_would_say() -> None:
    said = [
        entry["text"]
        for entry in finding_entries(
            [
                {"code": "duplicates", "severity": "warn", "field": "", "facts": {**FACTS, "share": 0.0122}},
                {"code": "leak", "severity": "stop", "field": "attributes.last_call", "facts": FACTS},
                {"code": "outliers", "severity": "info", "field": "events.quantity", "facts": FACTS},
            ]
        )
    ]
    assert said == [
        "last call alone tells the outcome with an AUC of 0.99: it may hold what happened afterwards.",
        "1,204 of 98,765 interactions repeat another one in every column (1.2 %).",
        "quantity (interactions): 1,204 of 98,765 values lie far from all others (beyond 0.50 to 420), "
        "the farthest is 168,469.60.",
    ]


def test_the_worst_comes_first_and_an_unknown_code_is_named() -> None:
    entries = finding_entries(
        [
            {"code": "constant", "severity": "info", "field": "attributes.country", "facts": FACTS},
            {"code": "quaint", "severity": "warn", "field": "events.at", "facts": {}},
            {"code": "leak", "severity": "stop", "field": "attributes.status", "facts": {}},
        ]
    )
    assert [entry["severity"] for entry in entries] == ["stop", "warn", "info"]
    assert entries[1]["text"] == "Look at this in the data: quaint events.at."
    assert entries[0]["text"] == "Look at this in the data: leak attributes.status."


def test_fields_and_shares_are_named_for_people() -> None:
    assert [
        field_label(name) for name in ("events.at", "attributes.last_call", "products", "kinds.email")
    ] == [
        "date (interactions)",
        "last call",
        "products",
        "e-mail",
    ]
    assert [share(value) for value in (0.0, 0.00001, 0.004, 0.0123, 0.5)] == [
        "0 %",
        "< 0.01 %",
        "0.40 %",
        "1.2 %",
        "50 %",
    ]
