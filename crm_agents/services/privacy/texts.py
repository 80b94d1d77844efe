"""Taking a customer's id and name out of texts: audit, errors, logs, reasons, remembered answers."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import JSONField, Model, Q, TextField
from django.db.models.functions import Cast

from crm_agents.models import (
    Alert,
    Annotation,
    AuditEntry,
    Feedback,
    IdempotentRequest,
    LabelItem,
    ScoringRun,
    ScoringShard,
    Sweep,
    TrainingRun,
)
from crm_data.models import ImportBatch
from crm_data.suppression import Suppressed

ERASED = "[erased]"
SHORTEST = 4  # characters of a name or a number that tells somebody apart wherever it stands
# Fields written by people or by programs that may name a customer in passing. Settings, names of things
# and figures are not among them: an id of a few digits would be found in all of them.
TEXTS: dict[type[Model], tuple[str, ...]] = {
    AuditEntry: ("subject", "detail"),
    TrainingRun: ("error", "notice", "log_tail", "report"),
    ScoringRun: ("error", "notice"),
    ScoringShard: ("error", "notice"),
    Sweep: ("error",),
    Alert: ("detail",),
    Feedback: ("reason",),
    LabelItem: ("text",),
    Annotation: ("reason",),
    ImportBatch: ("file_name", "report"),
}
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # scripts that put no space between words
_TOKEN = re.compile(r"[^\s\"'`(),;:<>\[\]{}/=|]+")


class Scrubber:
    """Replaces what names an erased customer.

    `customer_id` and `names` are known while the erasure is done. Afterwards only the digest is, which finds
    the id again, word by word, and nothing else. A short number stands for many things; it is taken for the
    customer only where the word "customer" comes before it.
    """

    def __init__(
        self, customer_id: str = "", names: Iterable[str] = (), suppressed: Suppressed | None = None
    ) -> None:
        self.words = [word for word in {customer_id} if telling(word)]
        self.words += sorted({name for name in names if telling_name(name)} - {customer_id})
        self._short = customer_id if customer_id and not telling(customer_id) else ""
        self._suppressed = suppressed
        self._patterns = [*map(_word, self.words), *([_named(self._short)] if self._short else [])]

    @property
    def wanted(self) -> list[str]:
        """What a text must contain to be worth reading."""
        return [*self.words, *([self._short] if self._short else [])]

    def text(self, text: str) -> str:
        for pattern in self._patterns:
            text = pattern.sub(lambda found: f"{found[1]}{ERASED}", text)
        return _TOKEN.sub(self._unless_erased, text) if self._suppressed else text

    def value(self, value: Any, name: str = "") -> Any:
        """Return a JSON value, its strings and keys scrubbed."""
        if isinstance(value, str):
            about = "customer" in name and value == self._short
            return ERASED if about and value else self.text(value)
        if isinstance(value, list):
            return [self.value(item, name) for item in value]
        if isinstance(value, Mapping):
            return {self.text(key): self.value(item, key) for key, item in value.items()}
        return value

    def _unless_erased(self, found: "re.Match[str]") -> str:
        token = found[0]
        word = token.strip(".!?")
        if self._suppressed is None or not telling(word) or not self._suppressed.is_erased(word):
            return token
        return token.replace(word, ERASED)


def telling(word: str) -> bool:
    """Whether a word names one customer wherever it stands: not a number of a few digits."""
    return len(word) >= SHORTEST or (len(word) > 1 and not word.isdigit())


def telling_name(name: str) -> bool:
    """Whether a name or an address means one person: a short word such as "May" means other things too."""
    return len(name) >= SHORTEST or _UNSPACED.search(name) is not None


def scrub_rows(scrubber: Scrubber) -> dict[str, int]:
    """Scrub every table of TEXTS; return the number of changed rows by table."""
    changed = {model._meta.model_name or "": _scrub(model, names, scrubber) for model, names in TEXTS.items()}
    return {name: count for name, count in changed.items() if count}


def forget_answers(scrubber: Scrubber) -> int:
    """Delete the answers kept for repeated requests that name the customer; return how many."""
    found = _naming(IdempotentRequest, ("path", "key", "response"), scrubber.wanted)
    gone = [row.pk for row in found if _names(row, scrubber)]
    return IdempotentRequest.objects.filter(pk__in=gone).delete()[0]


def entries_naming(tenant: str, scrubber: Scrubber) -> list[AuditEntry]:
    """Return the audit entries of the tenant that name the customer, the oldest first."""
    found = _naming(AuditEntry, TEXTS[AuditEntry], scrubber.wanted)
    mine = AuditEntry.objects.filter(
        pk__in=[row.pk for row in found if _changes(row, TEXTS[AuditEntry], scrubber)]
    )
    return list(mine.filter(agent__tenant=tenant).select_related("agent", "user").order_by("pk"))


def _names(row: Any, scrubber: Scrubber) -> bool:
    parts = [*row.path.split("/"), row.key]
    return any(part in scrubber.wanted for part in parts) or scrubber.value(row.response) != row.response


def _scrub(model: type[Model], names: tuple[str, ...], scrubber: Scrubber) -> int:
    changed = 0
    for row in _naming(model, names, scrubber.wanted):
        changes = _changes(row, names, scrubber)
        if changes:
            model._default_manager.filter(pk=row.pk).update(**changes)
            changed += 1
    return changed


def _changes(row: Any, names: tuple[str, ...], scrubber: Scrubber) -> dict[str, Any]:
    """Return the scrubbed values of the fields that name the customer."""
    before = {name: getattr(row, name) for name in names}
    after = {name: scrubber.value(value, _about(name)) for name, value in before.items()}
    return {name: value for name, value in after.items() if value != before[name]}


def _about(name: str) -> str:
    return "customer" if name == "subject" else name


def _naming(model: type[Model], names: tuple[str, ...], words: list[str]) -> Iterable[Any]:
    """Return the rows that contain a word in one of the fields, as the database can tell."""
    found = model._default_manager.order_by()
    wanted = Q(pk__in=[])
    for name in names:
        column = name
        if isinstance(model._meta.get_field(name), JSONField):
            column = f"{name}_text"
            found = found.annotate(**{column: Cast(name, TextField())})
        for word in words:
            for form in _forms(word):
                wanted |= Q(**{f"{column}__icontains": form})
    return list(found.filter(wanted))


def _forms(word: str) -> set[str]:
    """Return the ways a database may hold a word; SQLite knows the case of ASCII letters only."""
    cased = {word, word.lower(), word.upper(), word.title()}
    return cased | {_escaped(form) for form in cased}


def _escaped(word: str) -> str:
    """Return a word as a JSON text may write it, where a database stores JSON so."""
    return word.encode("ascii", "backslashreplace").decode().replace("\\x", "\\u00")


def _word(word: str) -> "re.Pattern[str]":
    flags = re.IGNORECASE if any(character.isspace() or character == "@" for character in word) else 0
    before = "" if _UNSPACED.match(word[0]) else r"(?<!\w)(?<!\w-)"
    after = "" if _UNSPACED.match(word[-1]) else r"(?!\w)(?!-\w)"
    return re.compile(rf"(){before}{re.escape(word)}{after}", flags)


def _named(number: str) -> "re.Pattern[str]":
    return re.compile(rf"(customers?(?:_id)?\W{{1,4}}){re.escape(number)}(?!\w)(?!-\w)", re.IGNORECASE)
