"""The form of an agent's schedule: when it is scored and trained, and when an alert opens."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.base import AgentsAdmin, Text, require
from crm_agents.models import Agent
from crm_agents.services.watching.schedule import FIELDS, change_schedule
from crm_data.conf import setting

MANAGE = "crm_agents.manage_agents"


@dataclass(frozen=True)
class Bounded:
    """One number of the schedule; one that may be empty is whole."""

    label: Text
    help: Text
    low: float
    high: float
    optional: bool = False

    def field(self) -> forms.Field:
        """Return the form's field, whose messages name the field, the value and the remedy."""
        label = str(self.label)
        example = (
            _("%(field)s must be a whole number.") if self.optional else _("%(field)s must be a number.")
        )
        kind = forms.IntegerField if self.optional else forms.FloatField
        return kind(
            label=label,
            help_text=str(self.help),
            required=not self.optional,
            validators=[partial(self.check, label)],
            error_messages={
                "invalid": example % {"field": label},
                "required": _("%(field)s is empty; give a number.") % {"field": label},
            },
            widget=forms.NumberInput(attrs={"step": 1 if self.optional else "any"}),
        )

    def check(self, label: str, value: float) -> None:
        """Raise ValidationError for a value out of bounds."""
        if self.low <= value <= self.high:
            return
        text = _("%(field)s is %(value)s; choose %(low)s to %(high)s.")
        if self.optional:
            text = _("%(field)s is %(value)s; choose %(low)s to %(high)s, or leave it empty.")
        facts = {"field": label, "value": value, "low": f"{self.low:g}", "high": f"{self.high:g}"}
        raise ValidationError(text, params=facts)


NUMBERS = {
    "train_every_days": Bounded(
        gettext_lazy("Train every (days)"),
        gettext_lazy("Empty: only when somebody starts it."),
        1,
        3650,
        optional=True,
    ),
    "score_every_hours": Bounded(
        gettext_lazy("Score every (hours)"),
        gettext_lazy("Empty: with the nightly scoring only."),
        1,
        8760,
        optional=True,
    ),
    "drift_limit": Bounded(
        gettext_lazy("Drift limit"),
        gettext_lazy(
            "Population stability index above which an alert opens. By custom 0.1 is a shift worth a look, "
            "0.25 a large one."
        ),
        0.01,
        10,
    ),
    "drop_limit": Bounded(
        gettext_lazy("Drop limit"),
        gettext_lazy(
            "Share of the tested metric that may be lost on realised outcomes before an alert opens: 0.1 is "
            "a tenth."
        ),
        0.01,
        1,
    ),
}


class ScheduleForm(forms.Form):
    """The values of `Agent` that the clock and the alerts go by."""

    retrain_on_drift = forms.BooleanField(label=gettext_lazy("Train anew on an alert"), required=False)

    def __init__(self, data: Mapping[str, Any] | None = None, *, agent: Agent) -> None:
        super().__init__(data, initial={name: getattr(agent, name) for name in FIELDS})
        for name, bounded in NUMBERS.items():
            self.fields[name] = bounded.field()


def schedule_view(admin: AgentsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show the schedule, or store what was changed of it."""
    require(request, MANAGE)
    agent: Agent = admin.found(request, pk)
    form = ScheduleForm(request.POST if request.method == "POST" else None, agent=agent)
    if request.method == "POST" and form.is_valid():
        changed = change_schedule(agent, form.cleaned_data, user=request.user)
        text = _("The schedule was changed.") if changed else _("Nothing was changed.")
        messages.success(request, text)
        return HttpResponseRedirect(admin.url("crm_agents_agent_watching", agent.pk))
    return admin.page(
        request,
        "crm_agents/schedule.html",
        title=_("Schedule"),
        crumbs=[(str(agent), admin.url_of(agent))],
        form=form,
        numbers=[form[name] for name in NUMBERS],
        pause=setting("RETRAIN_AFTER_DAYS"),
        back=admin.url_of(agent),
    )
