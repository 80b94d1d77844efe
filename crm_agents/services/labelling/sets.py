"""Label sets: the question, its answers and how it is put; the ready-made ones and one's own."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.models import Agent, LabelSet, Subject
from crm_agents.models.audit import AuditAction
from crm_agents.recipes import Answer, LabelTemplate, get_recipe
from crm_agents.services import audit

MOST_ANSWERS = 200  # the first nine have a key; the others are found by typing
MOST_ANNOTATORS = 10
KEYS = "123456789"
WORD = re.compile(r"[^\s,;\"']{1,64}")

Choice = dict[str, Any]

GENERIC = (
    LabelTemplate(
        name=gettext_lazy("Intent of an interaction"),
        subject=Subject.INTERACTION,
        question=gettext_lazy("What does the customer want?"),
        answers=(
            Answer("information", gettext_lazy("Information")),
            Answer("order", gettext_lazy("To order")),
            Answer("change", gettext_lazy("To change or return something")),
            Answer("complaint", gettext_lazy("To complain")),
            Answer("leave", gettext_lazy("To leave")),
            Answer("other", gettext_lazy("Something else")),
        ),
    ),
    LabelTemplate(
        name=gettext_lazy("Complaint or not"),
        subject=Subject.INTERACTION,
        question=gettext_lazy("Is this a complaint?"),
        answers=(
            Answer("complaint", gettext_lazy("Complaint")),
            Answer("none", gettext_lazy("No complaint")),
        ),
    ),
    LabelTemplate(
        name=gettext_lazy("Solution of a question"),
        subject=Subject.QUESTION,
        question=gettext_lazy("What solves it?"),
        answers=(
            Answer("delivery", gettext_lazy("Tell where the delivery is")),
            Answer("exchange", gettext_lazy("Exchange or take back")),
            Answer("explain", gettext_lazy("Explain the product")),
            Answer("bill", gettext_lazy("Correct the bill")),
            Answer("person", gettext_lazy("Hand over to a person")),
        ),
    ),
)


class LabelSetRejected(ValueError):
    """The set cannot be made like this; `field` names what to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def templates(agent: Agent) -> Sequence[LabelTemplate]:
    """Return the ready-made sets: the recipe's own, then those for any agent."""
    try:
        return (*get_recipe(agent.name).label_sets, *GENERIC)
    except LookupError:
        return GENERIC


def choices_of(answers: Iterable[Answer]) -> list[Choice]:
    """Return answers as a row keeps them, the first nine with a key to press."""
    return _keyed(
        [
            {"value": answer.value, "text": str(answer.text), **({"scored": True} if answer.scored else {})}
            for answer in answers
        ]
    )


def create_label_set(
    agent: Agent,
    *,
    name: str,
    subject: str,
    question: str,
    choices: Sequence[Mapping[str, Any]],
    random_share: float = 0.2,
    annotators: int = 1,
    user: audit.Actor = None,
) -> LabelSet:
    """Make a label set. Raises LabelSetRejected naming the field, the value and the remedy."""
    checked = _checked_choices(choices)
    if subject not in Subject.values:
        raise LabelSetRejected("subject", _("%r is no subject that can be labelled.") % subject)
    for field, text, longest in (("name", name, 100), ("question", question, 300)):
        if not text.strip() or len(text) > longest:
            raise LabelSetRejected(field, _("Write 1 to %d characters.") % longest)
    if not 0 <= random_share <= 1:
        raise LabelSetRejected("random_share", _("%s is not a share; choose 0 to 1.") % random_share)
    if not 1 <= annotators <= MOST_ANNOTATORS:
        raise LabelSetRejected(
            "annotators",
            _("%(value)s people; choose 1 to %(most)s.") % {"value": annotators, "most": MOST_ANNOTATORS},
        )
    try:
        with transaction.atomic():
            made = LabelSet.objects.create(
                agent=agent,
                name=name.strip(),
                subject=subject,
                question=question.strip(),
                choices=checked,
                random_share=random_share,
                annotators=annotators,
                trains=subject == Subject.CUSTOMER or not _text_sets(agent).filter(trains=True).exists(),
                created_by=audit.known(user),
            )
            audit.record(agent, AuditAction.LABELS_CHANGED, made, user=user, detail={"created": made.pk})
    except IntegrityError as error:
        taken = _("This agent has a label set named %r already; choose another name.") % name
        raise LabelSetRejected("name", taken) from error
    return made


def close_label_set(label_set: LabelSet, *, closed: bool, user: audit.Actor) -> None:
    """End the labelling, or open it again; labels count either way."""
    if not LabelSet.objects.filter(pk=label_set.pk, closed=not closed).update(closed=closed):
        return
    label_set.closed = closed
    audit.record(label_set.agent, AuditAction.LABELS_CHANGED, label_set, user=user, detail={"closed": closed})


def choose_training(label_set: LabelSet, *, trains: bool, user: audit.Actor) -> None:
    """Let a set's labels train, or not. One about texts takes the place of the agent's other ones.

    A text has one label in training: the answers to two questions about it would be taken for rivals.
    """
    with transaction.atomic():
        if trains and label_set.subject != Subject.CUSTOMER:
            _text_sets(label_set.agent).exclude(pk=label_set.pk).update(trains=False)
        if not LabelSet.objects.filter(pk=label_set.pk, trains=not trains).update(trains=trains):
            return
        label_set.trains = trains
        audit.record(
            label_set.agent, AuditAction.LABELS_CHANGED, label_set, user=user, detail={"trains": trains}
        )


def _text_sets(agent: Agent) -> QuerySet[LabelSet]:
    return LabelSet.objects.filter(agent=agent).exclude(subject=Subject.CUSTOMER)


def answer_texts(label_set: LabelSet) -> dict[str, str]:
    """Return the words for people of each stored answer, in their order."""
    return {choice["value"]: choice["text"] for choice in label_set.choices}


def scored_answer(label_set: LabelSet) -> str | None:
    """Return the answer whose probability the agent's score is."""
    return next((choice["value"] for choice in label_set.choices if choice.get("scored")), None)


def _checked_choices(choices: Sequence[Mapping[str, Any]]) -> list[Choice]:
    values = [str(choice.get("value", "")) for choice in choices]
    if not 2 <= len(values) <= MOST_ANSWERS:
        raise LabelSetRejected(
            "choices",
            _("%(count)s answers; give 2 to %(most)s.") % {"count": len(values), "most": MOST_ANSWERS},
        )
    for value in values:
        if not WORD.fullmatch(value):
            raise LabelSetRejected(
                "choices",
                _("%r cannot be stored as an answer: 1 to 64 characters, no spaces, commas or quotes.")
                % value,
            )
        if values.count(value) > 1:
            raise LabelSetRejected("choices", _("%r is there twice; answers differ.") % value)
    return _keyed(
        [
            {
                "value": str(choice["value"]),
                "text": str(choice.get("text") or choice["value"])[:200],
                **({"scored": True} if choice.get("scored") else {}),
            }
            for choice in choices
        ]
    )


def _keyed(choices: list[Choice]) -> list[Choice]:
    return [
        {**choice, "key": KEYS[place] if place < len(KEYS) else ""} for place, choice in enumerate(choices)
    ]
