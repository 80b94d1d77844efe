"""Where a run cuts the history."""

from dataclasses import replace

import pytest

from handoff.config import TrainingConfig
from handoff.dataset import Manifest
from handoff.errors import HandoffError, NotEnoughData
from neural.windows import Windows, parse_time, to_days, to_iso

MANIFEST = Manifest(1, "EUR", "", "2020-01-01T00:00:00+00:00", "2020-12-31T00:00:00+00:00", 9, 9, 9, {}, "")
CONFIG = TrainingConfig("a", "churn", "", 30)


def test_by_default_the_test_window_ends_with_the_data() -> None:
    assert Windows.choose(CONFIG, MANIFEST).as_json() == {
        "train": ["2020-01-01T00:00:00+00:00", "2020-11-01T00:00:00+00:00"],
        "validation": ["2020-11-01T00:00:00+00:00", "2020-12-01T00:00:00+00:00"],
        "test": ["2020-12-01T00:00:00+00:00", "2020-12-31T00:00:00+00:00"],
    }


def test_a_cutoff_may_be_named() -> None:
    found = Windows.choose(replace(CONFIG, test_cutoff="2020-07-01"), MANIFEST)
    assert to_iso(found.test) == "2020-07-01T00:00:00+00:00"
    assert found.validation == found.test - 30
    assert found.end == found.test + 30


def test_a_cutoff_too_late_names_the_latest() -> None:
    with pytest.raises(HandoffError, match=r"must be 2020-12-01T00:00:00\+00:00 or earlier"):
        Windows.choose(replace(CONFIG, test_cutoff="2020-12-10"), MANIFEST)


def test_a_dataset_without_events_is_not_enough() -> None:
    with pytest.raises(NotEnoughData) as answer:
        Windows.choose(CONFIG, replace(MANIFEST, first_event=None, last_event=None))
    assert answer.value.missing == [{"code": "no_events"}]


def test_times_of_other_zones_are_the_same_moment() -> None:
    assert to_days(parse_time("2020-01-01T02:00:00+02:00")) == to_days(parse_time("2020-01-01"))


def test_a_bad_time_is_named() -> None:
    with pytest.raises(HandoffError, match="'soon' is not an ISO date"):
        parse_time("soon")
