"""The forms behind the buttons: settings of a run, and the reason for going past the gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_agents.models import Agent, ModelVersion
from crm_agents.services.defaults import suggestions
from crm_agents.services.runs import planned_config
from crm_agents.services.starting import find_start, shape_of
from crm_agents.settings_file import all_settings
from crm_agents.words import joined
from handoff.config import BACKBONES, LIMITS, Limit
from handoff.errors import HandoffError

NEWEST_STARTS = 30  # versions that a run may be started from, on the form


@dataclass(frozen=True)
class Setting:
    """One number of TrainingConfig that people may choose, within `handoff.config.LIMITS`."""

    label: str | Promise
    help: str | Promise
    whole: bool = True

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


@dataclass(frozen=True)
class Words:
    """One setting of TrainingConfig that is one of a few words: (word, what people read)."""

    label: str | Promise
    help: str | Promise
    choices: Sequence[tuple[str, str | Promise]]


SHARE = _("From 0 to 1; 0 leaves it out.")
NUMBERS = {
    "horizon_days": Setting(_("Horizon"), _("Days ahead that the agent looks.")),
    "active_days": Setting(_("Active days"), _("Customers count who purchased within so many days.")),
    "width": Setting(_("Width"), _("Size of the encoder; a multiple of the number of heads.")),
    "layers": Setting(_("Layers"), _("Depth of the encoder.")),
    "heads": Setting(_("Heads"), _("Attention heads of the transformer.")),
    "max_visits": Setting(_("Visits read"), _("Newest visits of a customer that the encoder reads.")),
    "refit_epochs": Setting(
        _("Last epochs"),
        _("Once the model is chosen, it learns from the validation window too. 0 leaves that out."),
    ),
    "pretrain_epochs": Setting(_("Pretraining epochs"), _("0 leaves pretraining out.")),
    "freeze_layers": Setting(_("Frozen layers"), _("First layers that keep the weights they begin with.")),
    "lora_rank": Setting(
        _("LoRA rank"),
        _("Size of the adapters in the attention of a text model, which must be named; 0 for none."),
    ),
    "epochs": Setting(_("Epochs"), _("Passes over the data in fine-tuning.")),
    "learning_rate": Setting(_("Learning rate"), _("Usually 0.0001 to 0.01."), whole=False),
    "warmup_share": Setting(
        _("Warm-up"), _("Share of all steps in which the learning rate rises."), whole=False
    ),
    "batch_size": Setting(_("Batch size"), _("Customers in one step.")),
    "accumulate": Setting(_("Batches to a step"), _("More of them act like a larger batch, in less memory.")),
    "patience": Setting(_("Patience"), _("Epochs without improvement before it stops.")),
    "seed": Setting(_("Seed"), _("The same seed, data and settings give the same weights.")),
    "dropout": Setting(_("Dropout"), _("Share of units left out while learning."), whole=False),
    "weight_decay": Setting(_("Weight decay"), _("Usually 0 to 0.1."), whole=False),
    "augment_crop": Setting(_("Shortened histories"), SHARE, whole=False),
    "augment_mask": Setting(_("Hidden visits"), SHARE, whole=False),
    "augment_reorder": Setting(_("Visits that change places"), SHARE, whole=False),
    "augment_drop": Setting(_("Products left out of a visit"), SHARE, whole=False),
    "label_weight": Setting(
        _("Weight of people's labels"), _("In the loss, where a derived label counts 1."), whole=False
    ),
}
WORDS = {
    "backbone": Words(_("Backbone"), _("Kind of encoder."), [(name, name) for name in BACKBONES]),
    "schedule": Words(
        _("Learning rate after the warm-up"),
        "",
        [("cosine", _("falls in a curve")), ("linear", _("falls evenly")), ("constant", _("stays"))],
    ),
    "pretrain": Words(
        _("Pretraining"),
        _("Learn first what the next visit holds; a version that the run starts from knows that already."),
        [("auto", _("unless the run starts from a version")), ("always", _("always"))],
    ),
    "class_weight": Words(
        _("Rare outcomes"),
        _("Count them for more where one answer is much rarer than the other."),
        [("none", _("count as they are")), ("balanced", _("count for more"))],
    ),
    "precision": Words(
        pgettext_lazy("of numbers", "Precision"),
        _("Of the arithmetic; 16 bits are faster on a graphics card."),
        [("auto", _("best there is")), ("fp32", _("32 bits")), ("bf16", _("16 bits (bf16)"))],
    ),
    "device": Words(
        _("Device"),
        "",
        [("auto", _("best there is")), ("cpu", _("processor (cpu)")), ("cuda", _("graphics card (cuda)"))],
    ),
}
OFTEN = ("backbone", "horizon_days", "epochs", "learning_rate", "width")
# The rest, under "More settings".
GROUPS: Sequence[tuple[str | Promise, Sequence[str]]] = (
    (_("Model"), ("layers", "heads", "max_visits", "active_days")),
    (
        _("Start and pretraining"),
        ("start", "pretrain", "pretrain_epochs", "freeze_layers", "text_model", "lora_rank"),
    ),
    (
        _("Learning"),
        ("batch_size", "accumulate", "patience", "refit_epochs", "schedule", "warmup_share", "seed"),
    ),
    (
        _("Regularisation and augmentation"),
        ("dropout", "weight_decay", "augment_crop", "augment_mask", "augment_reorder", "augment_drop"),
    ),
    (_("Imbalance and labels"), ("class_weight", "label_weight")),
    (_("Precision and device"), ("precision", "device")),
)


class SettingsForm(forms.Form):
    """Settings of a run, starting from the agent's own and what suits its data.

    `overrides` holds what differs from the agent's own. `begin` are settings to begin with instead: those of
    a trial, say. Making one raises HandoffError where the agent's own settings are bad.
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        agent: Agent,
        begin: Mapping[str, Any] | None = None,
    ) -> None:
        self.agent, self.base = agent, all_settings(agent, {})
        self.base["start"] = _version_id(agent, self.base["start"])
        self.suggested = suggestions(agent) if self.suggests and not begin else {}
        shown = {**self.base, **{name: each.value for name, each in self.suggested.items()}, **(begin or {})}
        self.carried = {name: value for name, value in (begin or {}).items() if name not in self._names}
        shown["start"] = _version_id(agent, str(shown["start"]))
        super().__init__(data, initial={**shown, **self.extra_initial()})
        for name in self._names:
            self.fields[name] = self._field(name)

    _names = (*WORDS, *NUMBERS, "start", "text_model")
    suggests = True  # whether the data's size speaks where nobody else has

    def extra_initial(self) -> dict[str, Any]:
        return {}

    def _field(self, name: str) -> forms.Field:
        if name in WORDS:
            words = WORDS[name]
            return forms.ChoiceField(label=str(words.label), choices=words.choices, help_text=str(words.help))
        if name == "start":
            return _start_field(self.agent, str(self.initial["start"]))
        if name == "text_model":
            return forms.CharField(
                label=_("Text model"),
                required=False,
                max_length=200,
                help_text=_("Name of a pretrained model whose words describe the products; empty for none."),
            )
        suggestion = self.suggested.get(name)
        return _number_field(NUMBERS[name], LIMITS[name], suggestion.sentence if suggestion else "")

    @property
    def often(self) -> list[forms.BoundField]:
        """The fields that are shown at once."""
        return [self[name] for name in OFTEN]

    @property
    def groups(self) -> list[tuple[str | Promise, list[forms.BoundField]]]:
        """The fields under "More settings": title and fields of each group."""
        return [(title, [self[name] for name in names]) for title, names in GROUPS]

    @property
    def open_groups(self) -> bool:
        """Whether something under "More settings" is wrong, or is not what the agent has."""
        fields = [field for _title, fields in self.groups for field in fields]
        return any(field.errors for field in fields)

    @property
    def overrides(self) -> dict[str, Any]:
        """What differs from the agent's own settings."""
        chosen = {**self.carried, **{name: self.cleaned_data[name] for name in self._names}}
        return {name: value for name, value in chosen.items() if value != self.base.get(name)}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            self._check_together()
        if not self.errors:
            self._check_start()
        return cleaned

    def _check_together(self) -> None:
        """Ask the configuration itself, which also knows what does not go together."""
        try:
            planned_config(self.agent, self.overrides)
        except HandoffError as error:
            self.add_handoff_error(error)

    def _check_start(self) -> None:
        """See that the run has the shape of the version it is to start from."""
        try:
            version = find_start(self.agent, self.cleaned_data["start"])
            shape = shape_of(version) if version else {}
        except (HandoffError, OSError) as error:
            self.add_error("start", str(error))
            return
        for name, value in shape.items():
            if self.cleaned_data[name] != value:
                text = _(
                    "%(field)s is %(value)s, but %(version)s has %(other)s: choose the same to start from."
                )
                facts = {"field": self.fields[name].label, "value": self.cleaned_data[name]}
                self.add_error(name, text % {**facts, "version": version, "other": value})

    def add_handoff_error(self, error: HandoffError) -> None:
        """Show an error of the configuration at the field that it names first."""
        name = str(error).split(" ", 1)[0]
        self.add_error(name if name in self.fields else None, str(error))


class StartForm(SettingsForm):
    """Settings of one run, and whether its version goes live by itself."""

    publish = forms.BooleanField(
        label=_("Publish when the gate is passed"),
        required=False,
        help_text=_("Otherwise the version waits for somebody to promote it."),
    )

    def extra_initial(self) -> dict[str, Any]:
        return {"publish": True}


class AgentSettingsForm(SettingsForm):
    """An agent's own settings: `overrides` are what differs from the recipe's."""

    suggests = False

    def __init__(self, data: Mapping[str, Any] | None = None, *, agent: Agent) -> None:
        # The recipe alone is what the fields are compared with; what the agent has is what they begin with.
        bare = Agent(pk=agent.pk, name=agent.name, tenant=agent.tenant)
        super().__init__(data, agent=bare, begin=agent.config)


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


def _number_field(setting: Setting, limit: Limit, suggestion: str = "") -> forms.Field:
    kind = forms.IntegerField if setting.whole else forms.FloatField
    example = _("%(field)s must be a whole number.") if setting.whole else _("%(field)s must be a number.")
    return kind(
        label=str(setting.label),
        help_text=joined([str(setting.help), suggestion]) if suggestion else str(setting.help),
        validators=[partial(setting.check, limit=limit)],
        error_messages={
            "invalid": example % {"field": setting.label},
            "required": _("%(field)s is empty; give a number.") % {"field": setting.label},
        },
        widget=forms.NumberInput(attrs={"step": 1 if setting.whole else "any"}),
    )


def _version_id(agent: Agent, start: str) -> str:
    """Return the id of the version that a setting names, "" for none or one that is gone."""
    try:
        version = find_start(agent, start)
    except HandoffError:
        return ""
    return str(version.pk) if version else ""


def _start_field(agent: Agent, present: str) -> forms.Field:
    """Offer the tenant's newest versions; their weights are found by the server, never by a path."""
    versions = ModelVersion.objects.filter(agent__tenant=agent.tenant).select_related("agent")
    found = list(versions.defer("evaluation", "verdict_reasons")[:NEWEST_STARTS])
    if present and present not in {str(version.pk) for version in found}:
        found += versions.filter(pk=present)
    named = [(str(version.pk), str(version)) for version in found]
    return forms.ChoiceField(
        label=_("Start from"),
        choices=[("", _("its own pretraining")), *named],
        required=False,
        help_text=_("A version of the same backbone and size, whose weights are trained further."),
    )
