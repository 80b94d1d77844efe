from typing import Any

import numpy as np
import pytest

from crm_agents.arms import draw, in_second_arm, running, second_arm, second_arm_rows
from crm_agents.models import Agent, Experiment
from recommender.models import RecommendationSet
from tests.published import publish

IDS = [f"C{number}" for number in range(20_000)]


def experiment(agent: Agent, **values: Any) -> Experiment:
    return Experiment(**{"agent": agent, "kind": "control", "salt": "one", "horizon_days": 28, **values})


def test_a_customers_number_is_the_same_everywhere() -> None:
    assert draw("salt", "", "12346") == pytest.approx(0.3864332, abs=1e-7)
    assert draw("salt", "", "12346") != draw("salt", "north", "12346")


def test_the_numbers_are_spread_evenly() -> None:
    found = np.array([draw("salt", "", each) for each in IDS])
    counts, _edges = np.histogram(found, bins=20, range=(0, 1))
    expected = len(IDS) / 20
    square = float(((counts - expected) ** 2 / expected).sum())
    assert square < 43.8  # 99.9 % of even draws, 19 degrees of freedom
    assert 0 <= found.min() <= found.max() < 1


def test_two_salts_draw_independently() -> None:
    one, other = (np.array([draw(salt, "", each) for each in IDS]) for salt in ("a", "b"))
    assert abs(float(np.corrcoef(one, other)[0, 1])) < 3.3 / np.sqrt(len(IDS))
    both = ((one < 0.1) & (other < 0.1)).mean()
    assert both == pytest.approx(0.01, abs=0.0025)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_share_of_the_customers_is_in_the_second_arm(share: float) -> None:
    agent = Agent(name="recommender")
    found = second_arm(experiment(agent, share=share), IDS)
    assert sum(found) / len(IDS) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / len(IDS)))
    assert found[:50] == [in_second_arm(experiment(agent, share=share), each) for each in IDS[:50]]


@pytest.mark.django_db
@pytest.mark.parametrize("share", [0.01, 0.1, 1 / 3, 0.5])
def test_the_database_finds_the_same_customers(share: float) -> None:
    ids = [*IDS[:300], "Ärger & Söhne", "日本", "a'b%s", " x "]
    agent = publish("recommender", {each: (0.5, {"items": []}) for each in ids}, tenant="north")
    one = experiment(agent, share=share)
    rows = RecommendationSet.objects.all()
    expected = {each for each in ids if in_second_arm(one, each)}
    assert set(rows.filter(second_arm_rows(one)).values_list("customer_id", flat=True)) == expected
    others = rows.exclude(second_arm_rows(one)).values_list("customer_id", flat=True)
    assert set(others) == set(ids) - expected


@pytest.mark.django_db
def test_two_versions_count_only_while_they_are_live_and_shadow() -> None:
    agent = publish("recommender", {"A": (0.5, {"items": []})})
    first = agent.live_version
    publish("recommender", {"A": (0.5, {"items": []})})
    agent.refresh_from_db()
    second = agent.live_version
    agent.shadow_version = first
    agent.save()
    one = experiment(agent, kind="ab", version=second, rival=first)
    one.save()
    assert running(agent).ab == one
    agent.live_version, agent.shadow_version = first, None
    assert running(agent).ab is None
    assert running(agent).control is None
