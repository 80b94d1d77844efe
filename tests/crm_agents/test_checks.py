from typing import Any

import pytest

from crm_agents.checks import agent_settings_check, time_zone_check


def found(settings: Any, agents: dict[str, Any]) -> list[tuple[str | None, str]]:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "AGENTS": agents}
    return [(message.id, message.msg) for message in agent_settings_check()]


def test_good_settings_raise_nothing(settings: Any) -> None:
    assert found(settings, {}) == []
    assert found(settings, {"churn": {"horizon_days": 30, "tiers": {"high": 0.8}}}) == []


def test_the_settings_of_an_agent_that_is_not_there_are_found(settings: Any) -> None:
    assert found(settings, {"oracle": {}}) == [
        (
            "crm_agents.E001",
            "CRM_AGENTS[\"AGENTS\"] has settings of 'oracle', but no installed app registers that agent.",
        )
    ]


def test_an_agent_to_be_kept_fresh_that_is_not_there_is_found(settings: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "FRESH_AGENTS": ["recommender", "oracle"]}
    assert [(message.id, message.msg) for message in agent_settings_check()] == [
        (
            "crm_agents.E004",
            "CRM_AGENTS[\"FRESH_AGENTS\"] names 'oracle', but no installed app registers that agent.",
        )
    ]


@pytest.mark.parametrize(
    ("churn", "message"),
    [
        ({"horizon_days": 0}, "horizon_days is 0; it must be at least 1 and at most 730."),
        (
            {"tiers": {"high": 70}},
            'CRM_AGENTS["AGENTS"]["churn"]["tiers"]["high"] is 70; it must be a number between 0 and 1.',
        ),
    ],
)
def test_a_wrong_value_is_named(settings: Any, churn: dict[str, Any], message: str) -> None:
    assert found(settings, {"churn": churn}) == [("crm_agents.E002", message)]


def test_times_without_a_zone_are_refused(settings: Any) -> None:
    assert time_zone_check() == []
    settings.USE_TZ = False

    [problem] = time_zone_check()
    assert problem.id == "crm_agents.E003"
    assert problem.msg == "USE_TZ is off, but leases, snapshots and scores are kept in times with a zone."
    assert str(problem.hint).startswith("Set USE_TZ = True.")
