"""Gates, times and figures in words."""

import pytest

from crm_agents.admin.wording import duration, figure, gate_sentence
from crm_agents.recipes import Gate


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0 s"),
        (7.4, "7 s"),
        (59.7, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3840, "1 h 4 min"),
        (-3, "0 s"),
    ],
)
def test_lengths_of_time_are_written_in_two_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_figures_have_four_digits_and_whole_numbers_none() -> None:
    assert [figure(0.78), figure(4300), figure(None), figure("n/a")] == ["0.7800", "4,300", "–", "n/a"]


def test_a_gate_without_margin_and_bounds_is_one_short_sentence() -> None:
    assert gate_sentence(Gate("ndcg@10", ("personal_top", "item_knn"))) == (
        "A version goes live by itself when its NDCG@10 on the test window is better than that of each of "
        "these: Customer's own most frequent products; Bought together (ItemKNN)."
    )


def test_a_gate_says_that_the_lead_must_be_sure_and_which_baseline_is_a_bound() -> None:
    gate = Gate(
        "roc_auc", ("recency_rule",), also={"ece": ("<=", 0.15), "brier": ("<", "base_rate")}, sure=True
    )

    assert gate_sentence(gate) == (
        "A version goes live by itself when its ROC-AUC on the test window is better than that of each of "
        "these: Best “no purchase for N days” rule. The lead must be more than chance explains. "
        "It also needs Calibration error: at most 0.15; Brier score: less than that of “Same rate for "
        "everybody”."
    )
