"""Agreement against the figures of others: Krippendorff (2011), scikit-learn, and both by hand."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from crm_agents.services.labelling.agreement import (
    cohen_kappa,
    krippendorff_alpha,
    pair_agreements,
    units_of,
)
from crm_agents.services.labelling.answering import annotate, take_back
from tests.crm_agents.labelling.support import annotator, label_set_of

# K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), C: four observers, twelve units.
OBSERVERS = {
    "A": "1 2 3 3 2 1 4 1 2 . . .",
    "B": "1 2 3 3 2 2 4 1 2 5 . 3",
    "C": ". 3 3 3 2 3 4 2 2 5 1 .",
    "D": "1 2 3 3 2 4 4 1 2 5 1 .",
}


def published_example() -> list[dict[str, str]]:
    rows = {name: said.split() for name, said in OBSERVERS.items()}
    return [{name: row[at] for name, row in rows.items() if row[at] != "."} for at in range(12)]


def test_alpha_of_the_published_example() -> None:
    alpha = krippendorff_alpha(published_example())

    assert alpha == pytest.approx(0.743, abs=0.0005)


def test_alpha_of_two_observers_without_missing_answers() -> None:
    """The same paper, A: two observers, ten units, binary: 0.095."""
    first, second = "0100000010", "1110010000"
    units = [{"A": a, "B": b} for a, b in zip(first, second, strict=True)]

    assert krippendorff_alpha(units) == pytest.approx(0.095, abs=0.0005)


def test_alpha_is_undefined_where_nothing_can_be_compared() -> None:
    assert krippendorff_alpha([]) is None
    assert krippendorff_alpha([{"A": "x"}, {"B": "y"}]) is None
    assert krippendorff_alpha([{"A": "x", "B": "x"}]) is None
    assert krippendorff_alpha([{"A": "x", "B": "x"}, {"A": "y", "B": "y"}]) == 1.0


def test_kappa_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    first = generator.choice(list("abc"), 200)
    second = np.where(generator.random(200) < 0.7, first, generator.choice(list("abc"), 200))
    pairs = list(zip(map(str, first), map(str, second), strict=True))

    assert cohen_kappa(pairs) == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
    assert cohen_kappa([]) is None
    assert cohen_kappa([("a", "a")]) is None


def test_pairs_count_what_both_answered() -> None:
    units = [{"A": "x", "B": "x", "C": "y"}, {"A": "x", "B": "y"}, {"B": "x"}, {"A": "y", "B": "y"}]

    pairs = pair_agreements(units)

    assert [(pair.first, pair.second, pair.items, pair.same) for pair in pairs] == [
        ("A", "B", 3, 2),
        ("A", "C", 1, 0),
        ("B", "C", 1, 0),
    ]
    assert pairs[0].kappa == pytest.approx(0.4)


@pytest.mark.django_db
def test_the_newest_word_of_each_person_is_compared() -> None:
    label_set = label_set_of(annotators=2)
    one, two, three = label_set.items.order_by("place")
    anna, wei = annotator("anna"), annotator("wei")
    annotate(one, user=anna, label="left")
    annotate(one, user=anna, label="stayed")
    annotate(one, user=wei, label="left")
    annotate(two, user=anna, kind="cannot_tell")
    annotate(two, user=wei, label="left")
    annotate(three, user=wei, label="left")
    annotate(three, user=anna, kind="skip")
    annotate(three, user=anna, label="left")
    take_back(three, user=anna)

    assert units_of(label_set) == [{"anna": "stayed", "wei": "left"}, {"wei": "left"}, {"wei": "left"}]
