"""Why a version passed its gate or not, in words: versions store the figures."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.names import baseline_label, metric_label

Facts = Mapping[str, Any]

NEEDED = {
    ">=": gettext_lazy("at least %(value)s"),
    ">": gettext_lazy("more than %(value)s"),
    "<=": gettext_lazy("at most %(value)s"),
    "<": gettext_lazy("less than %(value)s"),
}


def comparison_entries(comparisons: Iterable[Facts]) -> list[dict[str, Any]]:
    """Return the stored figures of each comparison with `text`, the same in words."""
    return [{**facts, "text": _sentence(facts)} for facts in comparisons]


def verdict_sentences(comparisons: Iterable[Facts]) -> list[str]:
    """Return one sentence for each comparison that a version was judged by."""
    return [_sentence(facts) for facts in comparisons]


def _sentence(facts: Facts) -> str:
    if facts.get("sure"):
        return _on_surety(facts)
    if facts["passed"] and facts["model"] is None:
        text = _("The test window cannot tell this, so nobody is held up by it: %(metric)s.")
        return text % {"metric": metric_label(facts["metric"])}
    for owner, value in (("model", "model"), (facts["baseline"], "baseline_value")):
        if owner is not None and facts[value] is None:
            return _("The evaluation has no %(metric)s of this: %(owner)s.") % {
                "metric": metric_label(facts["metric"]),
                "owner": baseline_label(owner),
            }
    return _against_baseline(facts) if facts["baseline"] is not None else _within_bound(facts)


def _on_surety(facts: Facts) -> str:
    named = {"metric": metric_label(facts["metric"]), "baseline": baseline_label(facts["baseline"])}
    if facts["bound"] is None:
        unsure = _("The evaluation does not tell how sure the lead in %(metric)s is: %(baseline)s.")
        return unsure % named
    if facts["passed"]:
        sentence = _("The lead in %(metric)s is sure, at the least %(bound)s: %(baseline)s.")
    else:
        sentence = _("The lead in %(metric)s may be chance, at the least %(bound)s: %(baseline)s.")
    return sentence % {**named, "bound": f"{facts['bound']:+.4f}"}


def _against_baseline(facts: Facts) -> str:
    if facts["passed"]:
        sentence = _("%(metric)s %(own)s beats %(rival)s (%(baseline)s); needed: %(needed)s.")
    else:
        sentence = _("%(metric)s %(own)s is not enough to beat %(rival)s (%(baseline)s); needed: %(needed)s.")
    return sentence % {
        "metric": metric_label(facts["metric"]),
        "own": f"{facts['model']:.4f}",
        "rival": f"{facts['baseline_value']:.4f}",
        "baseline": baseline_label(facts["baseline"]),
        "needed": NEEDED[facts["sign"]] % {"value": f"{facts['required']:.4f}"},
    }


def _within_bound(facts: Facts) -> str:
    if facts["passed"]:
        sentence = _("%(metric)s %(own)s is good enough; needed: %(needed)s.")
    else:
        sentence = _("%(metric)s %(own)s is not good enough; needed: %(needed)s.")
    return sentence % {
        "metric": metric_label(facts["metric"]),
        "own": f"{facts['model']:.4f}",
        "needed": NEEDED[facts["sign"]] % {"value": f"{facts['required']:g}"},
    }
