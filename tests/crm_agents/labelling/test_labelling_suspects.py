import random

import pytest

from crm_agents.models import ItemStatus, LabelSet
from crm_agents.services.labelling import jobs
from crm_agents.services.labelling.answering import adjudicate
from crm_agents.services.labelling.suspects import NothingToSearch, find_suspects
from crm_agents.tasks import search_label_errors
from tests.crm_agents.labelling.support import add_items, annotator, label_set_of

pytestmark = pytest.mark.django_db


def labelled(count: int, wrong: set[int], *, texts: bool = False) -> LabelSet:
    """Make a set in which even customers left and odd ones stayed, but for the labels in `wrong`."""
    label_set = label_set_of(())
    noise = random.Random(0)  # noqa: S311
    for number in range(count):
        left = number % 2 == 0
        chance = noise.uniform(0.8, 0.95)
        text = f"{'we close the shop' if left else 'please send more candles'} {noise.randint(1, 9)}"
        said = "left" if left != (number in wrong) else "stayed"
        add_items(
            label_set,
            f"C{number}",
            status=ItemStatus.AGREED,
            label=said,
            text=text if texts else "",
            probabilities={}
            if texts
            else {"left": chance if left else 1 - chance, "stayed": 1 - chance if left else chance},
        )
    return label_set


def suspects(label_set: LabelSet) -> set[str]:
    return set(label_set.items.exclude(suspicion=None).values_list("customer_id", flat=True))


@pytest.mark.parametrize("texts", [False, True])
def test_planted_errors_are_found(texts: bool) -> None:
    label_set = labelled(80, {4, 31, 60}, texts=texts)

    found = find_suspects(label_set)

    assert found == {"labels": 80, "left_out": 0, "found": 3}
    assert suspects(label_set) == {"C4", "C31", "C60"}
    assert all(0.5 < item.suspicion <= 1 for item in label_set.items.exclude(suspicion=None))  # type: ignore[operator]


def test_a_second_search_forgets_the_first_and_what_was_decided() -> None:
    label_set = labelled(80, {4, 31})
    find_suspects(label_set)
    boss = annotator("boss")
    adjudicate(label_set.items.get(customer_id="C4"), label="left", user=boss)
    adjudicate(label_set.items.get(customer_id="C31"), label="left", user=boss)  # confirmed, right or not

    assert find_suspects(label_set)["found"] == 0
    assert suspects(label_set) == set()


@pytest.mark.parametrize(
    ("count", "change", "fact"),
    [
        (49, {}, {"code": "labels", "have": 49, "need": 50}),
        (60, {"label": "left"}, {"code": "answers", "have": 1, "need": 2, "each": 5}),
        (60, {"probabilities": {}}, {"code": "no_probabilities"}),
        (0, {}, {"code": "labels", "have": 0, "need": 50}),
    ],
)
def test_too_little_to_judge_by_is_refused_and_changes_nothing(
    count: int, change: dict[str, object], fact: dict[str, object]
) -> None:
    label_set = labelled(count, set())
    label_set.items.update(**change) if change else None
    label_set.items.filter(customer_id="C0").update(suspicion=0.5)

    with pytest.raises(NothingToSearch) as caught:
        find_suspects(label_set)

    assert caught.value.fact == fact
    assert suspects(label_set) == ({"C0"} if count else set())


def test_rare_answers_are_left_out() -> None:
    label_set = labelled(80, set())
    label_set.items.filter(customer_id__in=["C1", "C2"]).update(label="moved", probabilities={"moved": 0.5})

    assert find_suspects(label_set) == {"labels": 78, "left_out": 2, "found": 0}


def test_the_task_leaves_its_facts_in_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_send", lambda task, pk: True)
    label_set = labelled(10, set())
    jobs.request_search(label_set)

    search_label_errors(label_set.pk)

    label_set.refresh_from_db()
    assert label_set.search["missing"] == {"code": "labels", "have": 10, "need": 50}
    assert label_set.search["state"] == "done"
