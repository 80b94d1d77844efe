"""The forms of a label set: a new one, and how much to add to its queue."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from crm_agents.models import Agent, LabelSet, Subject
from crm_agents.services.labelling.jobs import LARGEST_FILLING
from crm_agents.services.labelling.sets import (
    MOST_ANNOTATORS,
    LabelSetRejected,
    choices_of,
    create_label_set,
    templates,
)


class LabelSetForm(forms.Form):
    """A new label set; `create` makes it, or puts what is wrong at its field."""

    name = forms.CharField(label=pgettext_lazy("of a label set", "Name"), max_length=100)
    subject = forms.ChoiceField(
        label=gettext_lazy("What is labelled"),
        choices=Subject.choices,
        help_text=gettext_lazy("Customers come from the agent's scores; the others are texts of the CRM."),
    )
    question = forms.CharField(label=gettext_lazy("Question"), max_length=300)
    answers = forms.CharField(
        label=gettext_lazy("Answers"),
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=gettext_lazy(
            "One a line: the word that is stored, then the words for people (left Has left). An asterisk "
            "before it marks the answer whose probability the agent's score is (*left Has left)."
        ),
    )
    random_share = forms.FloatField(
        label=gettext_lazy("Random share"),
        min_value=0,
        max_value=1,
        initial=0.2,
        help_text=gettext_lazy("Part of the queue drawn at random, 0 to 1: estimates are honest on it."),
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    annotators = forms.IntegerField(
        label=gettext_lazy("Annotators"),
        min_value=1,
        max_value=MOST_ANNOTATORS,
        initial=1,
        help_text=gettext_lazy("People who answer each item. Two or more show how far they agree."),
    )

    def create(self, agent: Agent, user: Any) -> LabelSet | None:
        """Make the set; None where the form has to be shown again."""
        values = dict(self.cleaned_data)
        try:
            return create_label_set(agent, choices=_choices(values.pop("answers")), user=user, **values)
        except LabelSetRejected as error:
            self.add_error("answers" if error.field == "choices" else error.field, str(error))
            return None


class FillForm(forms.Form):
    """How many items to add."""

    size = forms.IntegerField(
        label=gettext_lazy("Items to add"), min_value=1, max_value=LARGEST_FILLING, initial=200
    )


def initial_of(agent: Agent, number: str) -> dict[str, Any]:
    """Return the values of one of the ready-made sets, by its place; none for any other text."""
    ready = templates(agent)
    if not number.isdecimal() or len(number) > 3 or int(number) >= len(ready):
        return {}
    chosen = ready[int(number)]
    return {
        "name": str(chosen.name),
        "subject": chosen.subject,
        "question": str(chosen.question),
        "answers": "\n".join(_line(choice) for choice in choices_of(chosen.answers)),
    }


def ready_made(agent: Agent) -> Sequence[tuple[int, str]]:
    return [(number, str(template.name)) for number, template in enumerate(templates(agent))]


def _line(choice: dict[str, Any]) -> str:
    return f"{'*' if choice.get('scored') else ''}{choice['value']} {choice['text']}"


def _choices(text: str) -> list[dict[str, Any]]:
    """Read the answers. Raises LabelSetRejected where two carry an asterisk."""
    found: list[dict[str, Any]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        value, _space, words = line.partition(" ")
        choice = {"value": value.removeprefix("*"), "text": words.strip()}
        found.append({**choice, "scored": True} if value.startswith("*") else dict(choice))
    if sum("scored" in choice for choice in found) > 1:
        raise LabelSetRejected("choices", _("Two answers carry an asterisk; at most one is what is scored."))
    return found
