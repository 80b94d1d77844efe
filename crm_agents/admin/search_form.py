"""The form of a search: which settings are tried between which bounds, and how much it may cost."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.forms import NUMBERS
from crm_agents.models import Agent
from crm_agents.services.runs import planned_config
from crm_agents.services.tuning.space import default_space
from crm_agents.services.tuning.sweeps import MOST_PARALLEL, MOST_TRIALS
from handoff.config import BACKBONES
from handoff.errors import HandoffError

# Searched between two bounds; True where the steps are a share of the value.
RANGES = {
    "learning_rate": True,
    "dropout": False,
    "weight_decay": True,
    "augment_mask": False,
    "augment_drop": False,
}
# Searched among a few values.
LISTS = ("width", "layers", "batch_size", "max_visits")
PRUNER_CHOICES = (
    ("median", gettext_lazy("when they are below the median of the others")),
    ("hyperband", gettext_lazy("in rounds, the better third of each goes on (Hyperband)")),
    ("none", gettext_lazy("never")),
)


class SearchForm(forms.Form):
    """`space`, `shared` and `options` are what `start_sweep` takes, once the form is valid."""

    backbones = forms.MultipleChoiceField(
        label=gettext_lazy("Backbones"),
        choices=[(name, name) for name in BACKBONES],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=gettext_lazy("Choose none to keep the agent's own."),
    )
    trials = forms.IntegerField(label=gettext_lazy("Trials"), min_value=1, max_value=MOST_TRIALS, initial=20)
    parallel = forms.IntegerField(
        label=gettext_lazy("At the same time"),
        min_value=1,
        max_value=MOST_PARALLEL,
        initial=1,
        help_text=gettext_lazy("No more than there are workers."),
    )
    epochs = forms.IntegerField(
        label=gettext_lazy("Epochs of a trial"),
        min_value=1,
        max_value=1000,
        help_text=gettext_lazy("Fewer make each trial cheaper."),
    )
    minutes = forms.IntegerField(
        label=gettext_lazy("Minutes"),
        min_value=1,
        max_value=100_000,
        required=False,
        help_text=gettext_lazy("No trial begins later. Empty: no limit."),
    )
    pruner = forms.ChoiceField(
        label=gettext_lazy("End hopeless trials"), choices=PRUNER_CHOICES, initial="median"
    )
    seed = forms.IntegerField(
        label=gettext_lazy("Seed"),
        min_value=0,
        max_value=2**31 - 1,
        initial=0,
        help_text=gettext_lazy("The same seed, data and space give the same trials, one at a time."),
    )
    train_best = forms.BooleanField(
        label=gettext_lazy("Then train with the best settings"),
        required=False,
        help_text=gettext_lazy("A full run, tested on the test window; the gate decides as ever."),
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, agent: Agent) -> None:
        self.agent, self.base = agent, planned_config(agent, {})
        space = default_space(self.base)
        initial: dict[str, Any] = {"epochs": self.base.epochs}
        for name, entry in space.items():
            initial |= {f"{name}_low": entry.get("low"), f"{name}_high": entry.get("high")}
            initial[f"{name}_values"] = ", ".join(str(value) for value in entry.get("values", ()))
        super().__init__(data, initial=initial)
        for name in RANGES:
            for end, text in (("low", _("from")), ("high", _("to"))):
                label = _("%(setting)s, %(end)s") % {"setting": NUMBERS[name].label, "end": text}
                self.fields[f"{name}_{end}"] = forms.FloatField(
                    label=label, required=False, widget=forms.NumberInput(attrs={"step": "any"})
                )
        for name in LISTS:
            self.fields[f"{name}_values"] = forms.CharField(
                label=str(NUMBERS[name].label),
                required=False,
                max_length=200,
                help_text=_("Values to try, such as “32, 64”. Empty keeps the agent's own."),
            )

    @property
    def ranges(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        return [(self[f"{name}_low"], self[f"{name}_high"]) for name in RANGES]

    @property
    def lists(self) -> list[forms.BoundField]:
        return [self[f"{name}_values"] for name in LISTS]

    @property
    def budget(self) -> list[forms.BoundField]:
        return [self[name] for name in ("trials", "parallel", "epochs", "minutes", "pruner", "seed")]

    @property
    def space(self) -> dict[str, Any]:
        """Return the space as `services.tuning.space` reads it."""
        cleaned, found = self.cleaned_data, {}
        for name, log in RANGES.items():
            low, high = cleaned.get(f"{name}_low"), cleaned.get(f"{name}_high")
            if low is not None and high is not None:
                found[name] = {"type": "float", "low": low, "high": high, "log": log}
        for name in LISTS:
            if cleaned.get(f"{name}_values"):
                found[name] = {"type": "choice", "values": cleaned[f"{name}_values"]}
        if cleaned.get("backbones"):
            found["backbone"] = {"type": "choice", "values": cleaned["backbones"]}
        return found

    @property
    def shared(self) -> dict[str, Any]:
        """Return the settings that all trials share, where they differ from the agent's own."""
        epochs = self.cleaned_data["epochs"]
        return {} if epochs == self.base.epochs else {"epochs": epochs}

    @property
    def options(self) -> dict[str, Any]:
        names = ("trials", "parallel", "minutes", "pruner", "seed", "train_best")
        return {name: self.cleaned_data[name] for name in names}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in RANGES:
            low, high = f"{name}_low", f"{name}_high"
            if (cleaned.get(low) is None) != (cleaned.get(high) is None) and not self.errors:
                empty = low if cleaned.get(low) is None else high
                self.add_error(empty, _("Give both ends, or neither to leave this setting as it is."))
        for name in LISTS:
            field = f"{name}_values"
            cleaned[field] = self._whole_numbers(field, cleaned.get(field) or "")
        return cleaned

    def _whole_numbers(self, field: str, text: str) -> list[int]:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        try:
            return [int(part) for part in parts]
        except ValueError:
            message = _("“%(text)s” is not a list of whole numbers; write them as in “32, 64”.")
            self.add_error(field, message % {"text": text})
            return []

    def add_handoff_error(self, error: HandoffError) -> None:
        """Show an error of the space at the field that it is about: "space.dropout.low is …"."""
        first = str(error).split(" ", 1)[0].removeprefix("space.")
        name, _dot, part = first.partition(".")
        known = (
            f"{name}_{part}",
            f"{name}_low",
            f"{name}_values",
            "backbones" if name == "backbone" else name,
        )
        self.add_error(next((field for field in known if field in self.fields), None), str(error))
