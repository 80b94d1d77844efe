"""The forms behind the buttons: settings of a run, and the reason for going past the gate."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm_agents.models import Agent
from crm_agents.services.runs import planned_config
from handoff.config import BACKBONES, LIMITS, Limit
from handoff.errors import HandoffError


@dataclass(frozen=True)
class Setting:
    """One number of TrainingConfig that people may choose, within `handoff.config.LIMITS`."""

    label: str | Promise
    help: str | Promise
    whole: bool = True
    often: bool = False  # shown at once, not under "More settings"

    def check(self, value: float, limit: Limit) -> None:
        """Raise ValidationError naming the field, the value and the remedy."""
        facts = {"field": self.label, "value": value, "low": limit.low, "high": limit.high}
        if limit.allows(value):
            return
        if value <= limit.low:
            text = _("%(field)s is %(value)s; choose at least %(low)s.")
            over = _("%(field)s is %(value)s; choose more than %(low)s.")
            raise ValidationError(over if limit.above_low else text, params=facts)
        text = _("%(field)s is %(value)s; choose at most %(high)s.")
        under = _("%(field)s is %(value)s; choose less than %(high)s.")
        raise ValidationError(under if limit.below_high else text, params=facts)


SETTINGS = {
    "horizon_days": Setting(_("Horizon"), _("Days ahead that the agent looks."), often=True),
    "epochs": Setting(_("Epochs"), _("Passes over the data in fine-tuning."), often=True),
    "learning_rate": Setting(_("Learning rate"), _("Usually 0.0001 to 0.01."), whole=False, often=True),
    "width": Setting(_("Width"), _("Size of the encoder; a multiple of the number of heads."), often=True),
    "active_days": Setting(_("Active days"), _("Customers count who purchased within so many days.")),
    "layers": Setting(_("Layers"), _("Depth of the encoder.")),
    "heads": Setting(_("Heads"), _("Attention heads of the transformer.")),
    "dropout": Setting(_("Dropout"), _("Share of units left out while learning."), whole=False),
    "max_visits": Setting(_("Visits read"), _("Newest visits of a customer that the encoder reads.")),
    "pretrain_epochs": Setting(_("Pretraining epochs"), _("0 leaves pretraining out.")),
    "patience": Setting(_("Patience"), _("Epochs without improvement before it stops.")),
    "batch_size": Setting(_("Batch size"), _("Customers in one step.")),
    "weight_decay": Setting(_("Weight decay"), _("Usually 0 to 0.1."), whole=False),
    "seed": Setting(_("Seed"), _("The same seed, data and settings give the same weights.")),
}
DEVICES = (("auto", _("best there is")), ("cpu", _("processor (cpu)")), ("cuda", _("graphics card (cuda)")))


class StartForm(forms.Form):
    """Settings of one run, starting from the agent's own; `overrides` holds what the person changed.

    Making one raises HandoffError where the agent's own settings are bad.
    """

    backbone = forms.ChoiceField(
        label=_("Backbone"), choices=[(name, name) for name in BACKBONES], help_text=_("Kind of encoder.")
    )
    device = forms.ChoiceField(label=_("Device"), choices=DEVICES)
    publish = forms.BooleanField(
        label=_("Publish when the gate is passed"),
        required=False,
        help_text=_("Otherwise the version waits for somebody to promote it."),
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, agent: Agent) -> None:
        self.agent, self.base = agent, planned_config(agent, {})
        own = {name: getattr(self.base, name) for name in ("backbone", "device", *SETTINGS)}
        super().__init__(data, initial={**own, "publish": True})
        for name, setting in SETTINGS.items():
            self.fields[name] = _number_field(setting, LIMITS[name])

    @property
    def often(self) -> list[forms.BoundField]:
        """The fields that are shown at once."""
        return [self["backbone"], *(self[name] for name, setting in SETTINGS.items() if setting.often)]

    @property
    def seldom(self) -> list[forms.BoundField]:
        """The fields under "More settings"."""
        return [*(self[name] for name, setting in SETTINGS.items() if not setting.often), self["device"]]

    @property
    def trouble_in_seldom(self) -> bool:
        return any(field.errors for field in self.seldom)

    @property
    def overrides(self) -> dict[str, Any]:
        """What differs from the agent's own settings."""
        chosen = {name: self.cleaned_data[name] for name in ("backbone", "device", *SETTINGS)}
        return {name: value for name, value in chosen.items() if value != getattr(self.base, name)}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            self._check_together()
        return cleaned

    def _check_together(self) -> None:
        """Ask the configuration itself, which also knows what does not go together."""
        try:
            planned_config(self.agent, self.overrides)
        except HandoffError as error:
            self.add_handoff_error(error)

    def add_handoff_error(self, error: HandoffError) -> None:
        """Show an error of the configuration at the field that it names first."""
        name = str(error).split(" ", 1)[0]
        self.add_error(name if name in self.fields else None, str(error))


class PromoteForm(forms.Form):
    """The reason for publishing a version; required where the gate was not passed."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={
            "required": _("Reason is empty; the gate was not passed, so say why this version should go live.")
        },
        help_text=_("It is kept in the audit, with your name."),
    )


def _number_field(setting: Setting, limit: Limit) -> forms.Field:
    kind = forms.IntegerField if setting.whole else forms.FloatField
    example = _("%(field)s must be a whole number.") if setting.whole else _("%(field)s must be a number.")
    return kind(
        label=str(setting.label),
        help_text=str(setting.help),
        validators=[partial(setting.check, limit=limit)],
        error_messages={
            "invalid": example % {"field": setting.label},
            "required": _("%(field)s is empty; give a number.") % {"field": setting.label},
        },
        widget=forms.NumberInput(attrs={"step": 1 if setting.whole else "any"}),
    )
