"""How far annotators agree beyond chance: Cohen's kappa of two, Krippendorff's alpha of any number.

Both for nominal labels. An item that somebody did not answer, or could not tell, is missing for that
person, and the others' answers still count. Small enough to be written out: a page that shows them need
not load scikit-learn.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from django.contrib.auth import get_user_model

from crm_agents.models import Annotation, AnnotationKind, LabelSet

Labels = Mapping[str, str]  # annotator → answer


@dataclass(frozen=True)
class PairAgreement:
    """Two annotators on the items that both answered; `kappa` is None where it is not defined."""

    first: str
    second: str
    items: int
    same: int
    kappa: float | None


def krippendorff_alpha(units: Iterable[Labels]) -> float | None:
    """Return alpha for nominal data with missing values, None where no two answers can be compared.

    After K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: 1 - (n - 1) *
    (sum of the off-diagonal coincidences) / (sum of n_c * n_k). 1 is agreement, 0 chance, below it worse.
    """
    coincidences: Counter[tuple[str, str]] = Counter()
    for unit in units:
        counts = Counter(unit.values())
        size = counts.total()
        if size < 2:
            continue
        for one, times in counts.items():
            for other, others in counts.items():
                pairs = times * (others - (one == other))
                coincidences[one, other] += pairs / (size - 1)  # type: ignore[assignment]
    totals: Counter[str] = Counter()
    for (one, _other), weight in coincidences.items():
        totals[one] += weight
    n = totals.total()
    expected = n * n - sum(total * total for total in totals.values())
    if not expected:
        return None  # one answer only, or none: nothing to agree against
    observed = sum(weight for (one, other), weight in coincidences.items() if one != other)
    return 1.0 - (n - 1) * observed / expected


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Return kappa of two annotators' answers to the same items, None where chance alone agrees fully."""
    if not pairs:
        return None
    count = len(pairs)
    observed = sum(one == other for one, other in pairs) / count
    first, second = (Counter(side) for side in zip(*pairs, strict=True))
    expected = sum(first[label] * second[label] for label in first) / count**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def pair_agreements(units: Sequence[Labels]) -> list[PairAgreement]:
    """Return each pair of annotators that has items in common, those with the most first."""
    people = sorted({person for unit in units for person in unit})
    found = []
    for first, second in combinations(people, 2):
        pairs = [(unit[first], unit[second]) for unit in units if first in unit and second in unit]
        if pairs:
            same = sum(one == other for one, other in pairs)
            found.append(PairAgreement(first, second, len(pairs), same, cohen_kappa(pairs)))
    return sorted(found, key=lambda pair: -pair.items)


def units_of(label_set: LabelSet) -> list[Labels]:
    """Return, for each item with answers, what each annotator said last of it; one query."""
    person_name = f"user__{get_user_model().USERNAME_FIELD}"
    rows = (
        Annotation.objects.filter(item__label_set=label_set)
        .exclude(kind=AnnotationKind.SKIP)
        .order_by("at", "pk")
        .values_list("item", person_name, "kind", "label")
    )
    newest: dict[int, dict[str, str]] = {}
    for item, person, kind, label in rows.iterator(chunk_size=5_000):
        unit = newest.setdefault(item, {})
        if kind == AnnotationKind.LABEL:
            unit[person or "?"] = label
        else:
            unit.pop(person or "?", None)
    return [unit for unit in newest.values() if unit]
