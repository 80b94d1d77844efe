"""A data check in words: its report holds facts (`handoff.inspection`), and this makes sentences of them."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.missing import missing_sentences
from crm_agents.words import days, number
from crm_data.clock import local
from crm_data.models import InteractionKind
from handoff.inspection import SEVERITIES, Inspection

Facts = Mapping[str, Any]
Text = str | Promise

SEVERITY = {
    "stop": gettext_lazy("must be solved"),
    "warn": gettext_lazy("look at this"),
    "info": gettext_lazy("good to know"),
}
REMEDY = {
    "import_events": gettext_lazy("Import purchases, or name the tables that hold them in the Source."),
    "wait_or_import": gettext_lazy("Import older records, or wait until more have come in."),
    "shorten_horizon": gettext_lazy(
        "Choose a shorter horizon in the agent's settings, or import older records."
    ),
    "change_horizon": gettext_lazy(
        "Choose another horizon, or weigh the rarer outcome up (class weight: balanced)."
    ),
    "map_kind": gettext_lazy("Check how the Source names its kinds of interactions."),
    "retrain_later": gettext_lazy("Nothing to do: the agent learns it once it has been there for longer."),
    "fill_or_exclude": gettext_lazy("Fill it in where it is known, or leave the field out."),
    "drop_duplicates": gettext_lazy(
        "Choose “leave out” for repeated lines, or correct the import where they are mistakes."
    ),
    "clip_outliers": gettext_lazy("Choose “clip” for extreme values, or correct the records."),
    "correct_source": gettext_lazy("Correct the records: such a number cannot be read."),
    "map_returns": gettext_lazy("Give what comes back a kind of its own, such as “return”."),
    "correct_dates": gettext_lazy("Correct the dates of these records."),
    "check_import": gettext_lazy("Check whether an import of that time is missing or came twice."),
    "list_products": gettext_lazy("Add the products to the catalogue, or widen the Source's products."),
    "list_customers": gettext_lazy("Add the customers, or widen the Source's customers."),
    "exclude_field": gettext_lazy("Leave the field out, unless it is known in time and tells something."),
    "label_more": gettext_lazy("Label more texts, or import labels that exist already."),
    "review_labels": gettext_lazy("Look through these texts again and settle on one label."),
}
TABLES = {
    "events": gettext_lazy("interactions"),
    "customers": gettext_lazy("customers"),
    "products": gettext_lazy("products"),
    "attributes": gettext_lazy("customers"),
    "kinds": gettext_lazy("interactions"),
}
COLUMNS = {
    "customer": gettext_lazy("customer"),
    "at": gettext_lazy("date"),
    "kind": gettext_lazy("kind"),
    "basket": gettext_lazy("order"),
    "product": gettext_lazy("product"),
    "quantity": gettext_lazy("quantity"),
    "amount": gettext_lazy("amount"),
    "channel": gettext_lazy("channel"),
    "text": gettext_lazy("text"),
    "since": gettext_lazy("customer since"),
    "name": gettext_lazy("name"),
    "category": gettext_lazy("category"),
    "price": gettext_lazy("price"),
    "available": gettext_lazy("available"),
}
WINDOWS = {
    "train": gettext_lazy("the training window"),
    "validation": gettext_lazy("the validation window"),
}


def finding_entries(findings: Iterable[Facts]) -> list[dict[str, Any]]:
    """Return `code`, `severity`, `field`, `text` and `remedy` of each finding, the worst first."""
    entries = [_entry(finding) for finding in findings]
    return sorted(entries, key=lambda entry: _rank(entry["severity"]))


def readiness_lines(report: Facts) -> list[str]:
    """Say a whole report in lines for a terminal. Raises HandoffError for what is no report."""
    facts = Inspection.of(report)
    said = [sentence_of_size(facts)]
    for entry in finding_entries(report["findings"]):
        said.append(f"[{entry['severity_label']}] {entry['text']} {entry['remedy']}".strip())
    return said if len(said) > 1 else [*said, _("Nothing is wrong with the data.")]


def sentence_of_size(facts: Inspection) -> str:
    """Say how much there is."""
    size = {
        "rows": number(facts.rows),
        "customers": number(facts.customers),
        "first": day(facts.first),
        "last": day(facts.last),
    }
    if facts.first is None:
        return _("%(customers)s customers and no interactions.") % size
    text = _("%(rows)s interactions of %(customers)s customers, from %(first)s to %(last)s.")
    return text % size


def field_label(field: str) -> str:
    """Name a field: "events.amount" is "amount (interactions)"."""
    table, _dot, column = field.partition(".")
    if not column:
        return str(TABLES.get(table, table))
    if table == "kinds":
        return InteractionKind.label_of(column)
    if table == "attributes":
        return column.replace("_", " ")
    return f"{COLUMNS.get(column, column)} ({TABLES.get(table, table)})"


def share(value: float) -> str:
    """Write a share with as many decimals as it needs: "12 %", "0.4 %", "< 0.01 %"."""
    if 0 < value < 0.0001:
        return "< 0.01 %"
    decimals = 0 if value >= 0.1 or value == 0 else 1 if value >= 0.01 else 2
    return f"{number(value * 100, decimals)} %"


def day(text: str | None) -> str:
    """Write the day of an ISO time or date."""
    if not text:
        return "–"
    moment: datetime | None = parse_datetime(text)
    if moment is not None and len(text) > len("2026-01-01"):
        return date_format(local(moment), "DATE_FORMAT")
    whole = parse_date(text)
    return date_format(whole, "DATE_FORMAT") if whole else text


def figure(value: float) -> str:
    """Write a value of a column: whole where it is whole."""
    return number(value, 0 if float(value).is_integer() else 2)


def _entry(finding: Facts) -> dict[str, Any]:
    severity = str(finding.get("severity", "info"))
    return {
        "code": str(finding.get("code", "")),
        "severity": severity,
        "severity_label": str(SEVERITY.get(severity, severity)),
        "field": str(finding.get("field", "")),
        "facts": dict(finding.get("facts") or {}),
        "text": _text(finding),
        "remedy": str(REMEDY.get(str(finding.get("remedy", "")), "")),
    }


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _text(finding: Facts) -> str:
    code, field = str(finding.get("code")), str(finding.get("field", ""))
    try:
        return _WRITERS[code]({**finding["facts"], "field": field_label(field), "code": code})
    except (KeyError, TypeError, ValueError, OverflowError):
        return _("Look at this in the data: %(code)s.") % {"code": f"{code} {field}".strip()}


def _missing(facts: Facts) -> str:
    return missing_sentences([facts])[0]


def _counted(text: Text) -> Callable[[Facts], str]:
    """Return a writer of one translated sentence that figures go into."""
    return lambda facts: str(text) % _figures(facts)


def _figures(facts: Facts) -> dict[str, Any]:
    """Write every fact as its sentence shows it."""
    written: dict[str, Any] = dict(facts)
    for name, value in facts.items():
        if name in ("share", "filled_positives", "filled_negatives"):
            written[name] = share(float(value))
        elif name in ("auc", "low", "high", "usual") and isinstance(value, int | float):
            written[name] = f"{value:.2f}" if name == "auc" else figure(value)
        elif name in ("first", "last", "week", "watermark", "start"):
            written[name] = day(value)
        elif name == "window":
            written[name] = str(WINDOWS.get(value, value))
        elif name == "worst" and value:
            written[name] = figure(value[0])
        elif isinstance(value, int) and not isinstance(value, bool):
            written[name] = number(value)
    return written


def _kind(facts: Facts) -> str:
    text = _("There are no interactions of the kind that counts as outcome: %(kind)s.")
    return text % {"kind": InteractionKind.label_of(str(facts["kind"]))}


def _one_outcome(facts: Facts) -> str:
    text = _("In %(window)s every one of the %(count)s examples has the same outcome: nothing can be learnt.")
    return text % _figures(facts)


def _empty_weeks(facts: Facts) -> str:
    text = _("%(weeks)s weeks have no outcome at all, from %(first)s on; the longest gap is %(gap)s.")
    gap = days(7 * float(facts["longest"]))
    return text % {"weeks": number(facts["weeks"]), "first": day(facts["first"]), "gap": gap}


_WRITERS: dict[str, Callable[[Facts], str]] = {
    "no_events": _missing,
    "customers": _missing,
    "labels": _missing,
    "label_kinds": _missing,
    "label_texts": _missing,
    "validation_labels": _missing,
    "test_labels": _missing,
    "rare_label": _counted(
        gettext_lazy("The label “%(label)s” has %(have)s texts; it is not learnt below %(need)s in training.")
    ),
    "conflicting_labels": _counted(
        gettext_lazy("%(count)s of %(rows)s labelled texts have the words of another with another label.")
    ),
    "purchases": _missing,
    "days": _missing,
    "early_days": _missing,
    "one_outcome": _one_outcome,
    "rare_outcome": _counted(
        gettext_lazy("Only %(positives)s of %(count)s examples in %(window)s have the outcome (%(share)s).")
    ),
    "no_outcome_kind": _kind,
    "unseen_kind": _counted(
        gettext_lazy("%(rows)s interactions are of a kind that is new since %(first)s: %(field)s.")
    ),
    "mostly_null": _counted(gettext_lazy("%(field)s is empty in %(nulls)s of %(rows)s rows (%(share)s).")),
    "duplicates": _counted(
        gettext_lazy("%(count)s of %(rows)s interactions repeat another one in every column (%(share)s).")
    ),
    "outliers": _counted(
        gettext_lazy(
            "%(field)s: %(count)s of %(rows)s values lie far from all others (beyond %(low)s to %(high)s), "
            "the farthest is %(worst)s."
        )
    ),
    "not_finite": _counted(gettext_lazy("%(field)s is no number in %(count)s of %(rows)s rows.")),
    "negative_outcome": _counted(
        gettext_lazy("%(field)s is negative in %(count)s of %(rows)s interactions that count as outcome.")
    ),
    "future_events": _counted(
        gettext_lazy("%(field)s: %(count)s rows are dated later than the snapshot, the last on %(last)s.")
    ),
    "doubled_week": _counted(
        gettext_lazy("In the week of %(week)s, %(duplicates)s of %(rows)s interactions stand there twice.")
    ),
    "busy_week": _counted(
        gettext_lazy("The week of %(week)s has %(rows)s interactions where about %(usual)s are usual.")
    ),
    "empty_weeks": _empty_weeks,
    "unlisted_products": _counted(
        gettext_lazy("%(count)s products of interactions are not in the catalogue (%(share)s).")
    ),
    "unlisted_customers": _counted(
        gettext_lazy("%(count)s customers of interactions are not among the customers (%(share)s).")
    ),
    "constant": _counted(gettext_lazy("%(field)s is the same for everybody: %(value)s.")),
    "near_unique": _counted(
        gettext_lazy(
            "%(field)s has a value of its own for almost everybody (%(values)s values, %(rows)s rows)."
        )
    ),
    "leak": _counted(
        gettext_lazy(
            "%(field)s alone tells the outcome with an AUC of %(auc)s: it may hold what happened afterwards."
        )
    ),
    "filled_after": _counted(
        gettext_lazy(
            "%(field)s is filled for %(filled_positives)s of those with the outcome and for "
            "%(filled_negatives)s of the others: it may be filled in afterwards."
        )
    ),
}
