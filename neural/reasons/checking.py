"""Whether reasons are true: every fact counted again from the raw events, slowly and by other means.

It shares no code with what finds the reasons, not even its limits: those stand here a second time.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from statistics import median
from typing import Any

import polars as pl

from handoff.dataset import Dataset
from neural.windows import parse_time

Facts = Mapping[str, Any]

DAY = 86_400_000  # milliseconds
OWN = ("due", "repeat", "like", "bought_with", "category")  # what the customer's own purchases say
NEVER_BOTH = ({"due", "repeat"}, {"rising", "popular"}, {"like", "repeat"}, {"like", "popular"})


@dataclass(frozen=True)
class Checked:
    """How many reasons of each code were told, and what is wrong with those that are not true."""

    told: Counter[str] = field(default_factory=Counter)
    untrue: list[str] = field(default_factory=list)

    @property
    def share_true(self) -> float:
        total = self.told.total()
        return 1.0 - len(self.untrue) / total if total else 1.0


def check_reasons(
    dataset: Dataset, scores: pl.DataFrame, as_of: str, outcome_kinds: Collection[str]
) -> Checked:
    """Check every reason of a recommender's score file (`handoff.scores.SCORES`) of the moment `as_of`."""
    record, checked = Record(dataset, as_of, outcome_kinds), Checked()
    for customer, payload in scores.select("customer", "payload").iter_rows():
        for item in json.loads(payload)["items"]:
            where = f"{customer} {item['product']}"
            checked.untrue.extend(f"{where}: {wrong}" for wrong in _wrong_together(item["reasons"]))
            for reason in item["reasons"]:
                checked.told[reason["code"]] += 1
                expected = record.expected(customer, item["product"], reason)
                if expected is None or reason != {**expected, "code": reason["code"], "direction": "up"}:
                    checked.untrue.append(f"{where}: {reason} should be {expected}")
    return checked


def _wrong_together(reasons: list[Facts]) -> list[str]:
    codes = [reason["code"] for reason in reasons]
    own = [code in OWN for code in codes]
    wrong = [f"{sorted(pair)} contradict each other" for pair in NEVER_BOTH if pair <= set(codes)]
    if len(codes) > 4 or len(codes) != len(set(codes)):
        wrong.append(f"{codes} are too many")
    if own != sorted(own, reverse=True):
        wrong.append(f"{codes} do not begin with the customer's own")
    return wrong


class Record:
    """What happened up to a moment, as the events say it."""

    def __init__(self, dataset: Dataset, as_of: str, outcome_kinds: Collection[str]) -> None:
        self.now = int(parse_time(as_of).timestamp() * 1000) + 1  # what happened at `as_of` is known
        moment = pl.col("at").dt.epoch("ms")
        events = dataset.events().filter(
            pl.col("kind").is_in(list(outcome_kinds)), moment < self.now, pl.col("customer").is_not_null()
        )
        day, basket = pl.col("at").dt.date().alias("day"), pl.coalesce("basket", moment.cast(pl.String))
        lines = events.select("customer", day, "kind", basket.alias("basket"), "product", moment.alias("ms"))
        visit = ("customer", "day", "kind", "basket")
        lines = lines.with_columns(pl.col("ms").max().over(visit))
        self.lines = lines.unique().collect()
        self.products = {row["product"]: row for row in dataset.products().collect().iter_rows(named=True)}
        rows = dataset.customers().select("customer", "attributes").collect().iter_rows()
        self._alike, self._both = cache(self._find_alike), cache(self._count_both)
        self._buyers, self._active = cache(self._find_buyers), cache(self._find_active)
        self.attributes = {customer: json.loads(text) if text else {} for customer, text in rows}

    def expected(self, customer: str, product: str, reason: Facts) -> Facts | None:
        """The facts that a reason of this code must state; None where it must not be given."""
        write: Callable[[str, str, Facts], Facts | None] | None = getattr(self, f"_{reason['code']}", None)
        return write(customer, product, reason) if write else None

    # What the customer bought

    def _repeat(self, customer: str, product: str, reason: Facts) -> Facts | None:
        times = self._times[customer, product]
        if not times or self._cycle(times):
            return None
        span = (times[-1] - times[0]) / DAY
        gap = _near(reason["usual_gap_days"], span / (len(times) - 1)) if span else None
        return {"times": len(times), "usual_gap_days": gap, "days_since": (self.now - times[-1]) // DAY}

    def _due(self, customer: str, product: str, reason: Facts) -> Facts | None:
        times = self._times[customer, product]
        usual = self._cycle(times)
        if not usual:
            return None
        gap = _near(reason["usual_gap_days"], usual)
        return {"times": len(times), "usual_gap_days": gap, "days_since": (self.now - times[-1]) // DAY}

    def _cycle(self, times: list[int]) -> float:
        """The usual gap in days of what is bought steadily and due; else 0."""
        gaps = [(later - sooner) / DAY for sooner, later in zip(times, times[1:], strict=False)]
        if len(times) < 3 or median(gaps) < 2:
            return 0.0
        usual, since = median(gaps), (self.now - times[-1]) / DAY
        steady = [gap for gap in gaps if 0.5 * usual <= gap <= 1.5 * usual]
        return usual if len(steady) > len(gaps) / 2 and 0.8 * usual <= since <= 2 * usual else 0.0

    def _like(self, customer: str, product: str, reason: Facts) -> Facts | None:
        if self._owners(product):
            return None
        names = [self.products[each]["name"].lower() for each in (product, reason["product"])]
        words = [word for word in reason["words"] if all(word in name for name in names)]
        times = self._times[customer, reason["product"]]
        return (
            {"product": reason["product"], "times": len(times), "words": words} if words and times else None
        )

    def _bought_with(self, customer: str, product: str, reason: Facts) -> Facts | None:
        other = reason["product"]
        mine, theirs = self._owners(product), self._owners(other)
        both, everyone = self._both(*sorted((product, other))), len(self._active(None))
        if other == product or customer not in theirs or both < 3:
            return None
        lift = both * everyone / (len(mine) * len(theirs))
        return {"product": other, "customers": both, "of": len(theirs)} if lift >= 1.5 else None

    def _category(self, customer: str, product: str, reason: Facts) -> Facts | None:
        category = (self.products.get(product) or {}).get("category")
        visits = self._category_visits[customer, category]
        return {"category": category, "times": len(visits)} if category and visits else None

    # What others bought

    def _same_branch(self, customer: str, product: str, reason: Facts) -> Facts | None:
        name, value = reason["attribute"], reason["value"]
        if not self._has(customer, name, value):
            return None
        active, bought, alike = self._active(365), self._buyers(product, 365), self._alike(name, value)
        count, size = len((alike & bought) - {customer}), len(alike - {customer})
        others = len(active) - len(alike)
        elsewhere = len(bought - alike) / max(others, 1)
        if count < 3 or size < 5 or size > others or count < 1.5 * size * elsewhere:
            return None
        facts = {"attribute": name, "value": value, "customers": count, "of": size, "days": 365}
        return {**facts, "elsewhere": _near(reason["elsewhere"], elsewhere, 0.00006)}

    def _season(self, customer: str, product: str, reason: Facts) -> Facts | None:
        now, before = self._buyers(product, 364, 336), self._buyers(product, 392, 364)
        return self._more(len(now), len(before))

    def _rising(self, customer: str, product: str, reason: Facts) -> Facts | None:
        return self._more(len(self._buyers(product, 28)), len(self._buyers(product, 56, 28)))

    def _more(self, now: int, before: int) -> Facts | None:
        clear = now >= 10 and now >= 1.5 * before
        return {"customers": now, "before": before, "days": 28} if clear else None

    def _popular(self, customer: str, product: str, reason: Facts) -> Facts | None:
        count = len(self._buyers(product, reason["days"]))
        return {"customers": count, "days": reason["days"]} if count else None

    def _first_order(self, customer: str, product: str, reason: Facts) -> Facts | None:
        count = len(self._newcomers & self._begun_with[product])
        return {"customers": count, "of": len(self._newcomers), "days": 180} if count >= 3 else None

    # Sets

    def _has(self, customer: str, name: str, value: str) -> bool:
        found = self.attributes.get(customer, {}).get(name)
        if isinstance(found, list):
            return value in found
        return found == value if isinstance(found, str) else found is True and value == "true"

    def _find_alike(self, name: str, value: str) -> set[str]:
        return {each for each in self._active(365) if self._has(each, name, value)}

    def _owners(self, product: str) -> set[str]:
        return self._buyers(product, None)

    def _count_both(self, one: str, other: str) -> int:
        return len(self._owners(one) & self._owners(other))

    def _find_buyers(self, product: str, start: int | None, stop: int = 0) -> set[str]:
        """Customers who bought it from `start` on, before `stop` days ago."""
        first = -1 if start is None else self.now - start * DAY
        return {who for who, ms in self._sales[product] if first <= ms < self.now - stop * DAY}

    def _find_active(self, days: int | None) -> set[str]:
        first = -1 if days is None else self.now - days * DAY
        rows = self.lines.filter(pl.col("ms") >= first, pl.col("product").is_not_null())
        return set(rows["customer"])

    @cached_property
    def _sales(self) -> defaultdict[str, list[tuple[str, int]]]:
        found = defaultdict(list)
        for customer, product, ms in self.lines.select("customer", "product", "ms").iter_rows():
            found[product].append((customer, ms))
        return found

    @cached_property
    def _times(self) -> defaultdict[tuple[str, str], list[int]]:
        """When each customer bought each product, a time for each visit."""
        found = defaultdict(list)
        for customer, product, ms in self.lines.select("customer", "product", "ms").sort("ms").iter_rows():
            found[customer, product].append(ms)
        return found

    @cached_property
    def _category_visits(self) -> defaultdict[tuple[str, str | None], set[Any]]:
        found = defaultdict(set)
        columns = ("customer", "product", "day", "kind", "basket")
        for customer, product, *visit in self.lines.select(columns).iter_rows():
            found[customer, (self.products.get(product) or {}).get("category")].add(tuple(visit))
        return found

    @cached_property
    def _began(self) -> dict[str, int]:
        return dict(self.lines.group_by("customer").agg(pl.col("ms").min()).iter_rows())

    @cached_property
    def _newcomers(self) -> set[str]:
        return {name for name, ms in self._began.items() if ms >= self.now - 180 * DAY}

    @cached_property
    def _begun_with(self) -> defaultdict[str, set[str]]:
        found = defaultdict(set)
        for customer, product, ms in self.lines.select("customer", "product", "ms").iter_rows():
            if self._began[customer] == ms:
                found[product].add(customer)
        return found


def _near(stated: float | None, true: float, slack: float = 0.06) -> float | None:
    """What was stated where it is the truth but for rounding, else the truth."""
    return stated if stated is not None and abs(stated - true) <= slack else round(true, 4)
