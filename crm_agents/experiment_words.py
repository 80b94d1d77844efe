"""What experiments found, in plain sentences. Nothing is called proved whose interval holds 0."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.models import Experiment, ExperimentKind, Treatment
from crm_agents.words import joined, number
from crm_data.clock import local

Facts = Mapping[str, Any]

PRIMARY = "bought"
UNEVEN = 0.001  # a split less likely than this is wrong, and not bad luck
FIGURES = {
    "bought": gettext_lazy("Customers who bought"),
    "orders": gettext_lazy("Orders a customer"),
    "revenue": gettext_lazy("Revenue a customer"),
    "hits": gettext_lazy("Customers who bought from their list"),
}
SHARES = ("bought", "hits")  # figures that are shares of the customers


def control_note(experiment: Experiment) -> str:
    """Say why a customer is not shown what the agent found."""
    day = {"day": _day(experiment.started_at)}
    if experiment.treatment == Treatment.POPULARITY:
        return (
            _(
                "Belongs to the control group of the experiment begun on %(day)s: shown what is popular with "
                "everyone."
            )
            % day
        )
    return _("Belongs to the control group of the experiment begun on %(day)s: no answer is shown.") % day


def control_left_out() -> str:
    """Say why a list of whom to call is shorter than the list of customers."""
    return _("The control group of the present experiment is not listed.")


def arm_names(experiment: Experiment) -> tuple[str, str]:
    """Name the arm that the other is held against, and the other."""
    if experiment.kind == ExperimentKind.CONTROL:
        return _("Control group"), _("Shown the agent's answers")
    return _version(_("Version A, v%s"), experiment.version), _version(_("Version B, v%s"), experiment.rival)


def percent(share: float, *, sign: bool = False) -> str:
    """Write a share in per cent with one digit; with `sign`, a plus before gains."""
    written = number(share * 100, 1)
    plus = "+" if sign and share > 0 else ""
    return f"{plus}{written} %"


def value(name: str, amount: float | None, currency: str = "") -> str:
    """Write the value of a figure."""
    if amount is None:
        return "–"
    if name in SHARES:
        return percent(amount)
    return f"{number(amount, 2)} {currency}".strip() if name == "revenue" else number(amount, 3)


def verdict(experiment: Experiment) -> tuple[str, str]:
    """Return a tone (good, bad, neutral, warn) and what the experiment says, by its one deciding figure."""
    result = experiment.result
    if not result:
        return "neutral", _("It has not been measured yet; a worker does so within minutes.")
    if result.get("problem"):
        return "bad", _("It cannot be measured: the scores that it began with are gone. Start anew.")
    first, second = arm_names(experiment)
    found: Facts = result["figures"][PRIMARY]
    if found.get("low") is None or found.get("relative") is None:
        return "neutral", _("Too few customers have bought since to tell the two apart.")
    words = {
        "first": first,
        "second": second,
        "first_share": percent(found["first"]),
        "second_share": percent(found["second"]),
        "uplift": percent(found["relative"], sign=True),
        "low": percent(found["relative_low"], sign=True),
        "high": percent(found["relative_high"], sign=True),
    }
    facts = _(
        "Bought since: %(second_share)s (%(second)s), %(first_share)s (%(first)s). The difference is "
        "%(uplift)s, and lies between %(low)s and %(high)s with 95 %% confidence."
    )
    if found["low"] <= 0 <= found["high"]:
        return "neutral", joined([_("No difference can be told from chance."), facts % words])
    if found["low"] > 0:
        head = _("%(second)s: more customers bought.")
        return "good", joined([head % words, facts % words])
    head = _("%(second)s: fewer customers bought.")
    return "bad", joined([head % words, facts % words])


def cautions(experiment: Experiment) -> list[tuple[str, str]]:
    """Return (tone, sentence) of what a reader should know before believing the figures."""
    result, said = experiment.result, []
    if not result or result.get("problem"):
        return []
    if result["split_chance"] < UNEVEN:
        said.append(
            (
                "bad",
                _(
                    "The two arms are not as large as the share says they should be, and chance hardly does "
                    "that: something removes customers from one of them. Do not believe the figures."
                ),
            )
        )
    if not result["over"]:
        day = _day(experiment.started_at + timedelta(days=experiment.horizon_days))
        text = _(
            "It goes on until %(day)s, and the figures count then. Whoever looks every day and stops at the "
            "first difference is taken in by chance far more often than one time in twenty."
        )
        said.append(("neutral", text % {"day": day}))
    found = result["figures"][PRIMARY].get("detectable") or result.get("detectable")
    if found:
        text = _("So many customers show a difference of %(size)s or more four times out of five.")
        said.append(("neutral", text % {"size": percent(found)}))
    if result["left_out"]:
        text = _(
            "Left out: %(count)s who opted out, were erased, or belong to the control group of another "
            "experiment."
        )
        said.append(("neutral", text % {"count": number(result["left_out"])}))
    return said


def state(experiment: Experiment) -> tuple[str, str]:
    """Return a tone and a word on whether it goes on."""
    if experiment.ended_at is None:
        return "calm", _("going on")
    return "neutral", str(experiment.get_ended_for_display())


def _version(text: str, version: Any) -> str:
    return text % (version.number if version else "–")


def _day(moment: datetime) -> str:
    return str(date_format(local(moment), "DATE_FORMAT"))
