"""Names of metrics and baselines, in the reader's language."""

from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

METRICS = {
    "roc_auc": gettext_lazy("ROC-AUC"),
    "pr_auc": gettext_lazy("PR-AUC"),
    "brier": gettext_lazy("Brier score"),
    "log_loss": gettext_lazy("log loss"),
    "negative_log_loss": gettext_lazy("negative log loss"),
    "top3": gettext_lazy("right among the first three"),
    "ece": gettext_lazy("calibration error"),
    "accuracy": gettext_lazy("accuracy"),
    "precision": gettext_lazy("precision"),
    "recall": gettext_lazy("recall"),
    "f1": gettext_lazy("F1"),
    "lift": gettext_lazy("lift"),
    "ndcg": gettext_lazy("NDCG"),
    "map": gettext_lazy("MAP"),
    "hit": gettext_lazy("hit rate"),
    "coverage": gettext_lazy("coverage"),
    "novelty": gettext_lazy("novelty (bits)"),
    "mase": gettext_lazy("MASE"),
    "wape": gettext_lazy("WAPE"),
    "wql": gettext_lazy("weighted quantile loss"),
    "pinball": gettext_lazy("pinball loss"),
    "bias": gettext_lazy("bias"),
    "interval_coverage": gettext_lazy("share within the interval"),
    "interval_width": gettext_lazy("width of the interval"),
    "days": gettext_lazy("days of the rule"),
}
BASELINES = {
    "model": gettext_lazy("This version"),
    "recency_rule": gettext_lazy("Best “no purchase for N days” rule"),
    "base_rate": gettext_lazy("Same rate for everybody"),
    "personal_top": gettext_lazy("Customer's own most frequent products"),
    "popularity": gettext_lazy("Most popular products"),
    "item_knn": gettext_lazy("Bought together (ItemKNN)"),
    "majority": gettext_lazy("Same answer for every text"),
    "tfidf_svm": gettext_lazy("Words alone (TF-IDF and SVM)"),
    "frozen": gettext_lazy("Text model left as it was"),
}
LOWER_IS_BETTER = frozenset({"brier", "log_loss", "ece", "mase", "wape", "wql", "pinball", "interval_width"})
# Of two values neither is the better one by itself.
NOT_A_SCORE = frozenset({"days", "novelty", "bias", "interval_coverage"})


def metric_label(name: str) -> str:
    """Name a metric: "ndcg@10_new" is "NDCG@10, products new to the customer"."""
    plain = name.removesuffix("_new")
    base, at, cut = plain.partition("@")
    label = str(METRICS.get(base, base.replace("_", " ")))
    label = f"{label[:1].upper()}{label[1:]}{at}{cut}"
    if plain == name:
        return label
    return _("%(metric)s, products new to the customer") % {"metric": label}


def baseline_label(name: str) -> str:
    """Name a column of the metrics table; an unknown baseline keeps its own name."""
    return str(BASELINES.get(name, name.replace("_", " ")))


def in_order(names: Iterable[str]) -> list[str]:
    """Sort metrics or baselines as they stand above, unknown ones last: a JSON column keeps no order."""
    known = [*METRICS, *BASELINES]

    def place(name: str) -> tuple[int, str]:
        base = name.removesuffix("_new").partition("@")[0]
        return known.index(base) if base in known else len(known), name

    return sorted(names, key=place)


def lower_is_better(metric: str) -> bool:
    return _base(metric) in LOWER_IS_BETTER


def is_score(metric: str) -> bool:
    """Tell whether of two values one is the better."""
    return _base(metric) not in NOT_A_SCORE


def _base(metric: str) -> str:
    return metric.partition("@")[0].removesuffix("_new")
