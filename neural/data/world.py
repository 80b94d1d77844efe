"""The world: everything a task knows about one dataset, ready to be asked about any moment."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from handoff.config import TrainingConfig
from handoff.dataset import UTC_TIME, Dataset
from neural.data.attributes import Attributes, NumberScale, encode_attributes, fit_scale, read_attributes
from neural.data.cleaning import Limits, fit_limits
from neural.data.everyone import join, slim
from neural.data.history import MILLISECONDS, Floats, History, Ints, read_history
from neural.data.repeats import OwnProducts
from neural.data.said import Said, read_said
from neural.data.traits import Traits, Word, read_traits
from neural.data.trends import Trends
from neural.data.vocabulary import Vocabulary, fit_vocabulary
from neural.windows import parse_time, to_days


@dataclass(frozen=True)
class Queries:
    """Questions of the form "what about this customer at this moment?", sorted by customer."""

    customer: Ints  # (Q,) index into history.customers
    time: Floats  # (Q,) days since 1970; only what lies strictly before counts

    def __len__(self) -> int:
        return len(self.customer)

    def take(self, index: Ints | slice) -> "Queries":
        return Queries(self.customer[index], self.time[index])


@dataclass(frozen=True)
class World:
    config: TrainingConfig
    vocabulary: Vocabulary
    history: History
    attributes: Attributes
    scale: NumberScale
    start: float  # when the dataset begins, days since 1970
    cuts: tuple[float, ...]  # moments at which it is asked about, see `read_history`
    limits: Limits
    said: Said
    crowd: "World | None" = None  # everybody, where `history` holds only some of the customers
    traits: Traits = field(default_factory=Traits)  # of every customer the dataset lists

    @property
    def everyone(self) -> "World":
        """The world that knows what all customers do, of which this one may hold a part."""
        return self.crowd or self

    @cached_property
    def worked_out(self) -> dict[str, Any]:
        """What was worked out of everybody's history and is asked for again, by what it is."""
        return self.crowd.worked_out if self.crowd else {}

    def market_time(self, time: Floats) -> Floats:
        """When to look at what everybody does: after the last of `cuts` nothing of it was read. (Q,)"""
        return np.minimum(time, max(self.everyone.cuts))

    @cached_property
    def own(self) -> OwnProducts:
        return OwnProducts(self.history)

    @cached_property
    def worn(self) -> Ints:
        """Numbers of the traits of each customer of the history, -1 for padding. (N, W)"""
        return self.traits.of(self.history.customers)

    @cached_property
    def trends(self) -> Trends:
        if self.crowd:
            return self.crowd.trends
        return Trends(self.history, len(self.vocabulary.products), until=max(self.cuts))

    @cached_property
    def first_sale(self) -> Floats:
        """When each product first occurred, infinity where never. (P,)"""
        if self.crowd:
            return self.crowd.first_sale
        first = np.full(len(self.vocabulary.products), np.inf)
        np.minimum.at(first, self.history.line_product, self.history.visit_time[self.history.line_visit])
        return first

    def named(self, queries: Queries) -> pl.DataFrame:
        """Who is asked about, and when: the first columns of `handoff.predictions`."""
        names = np.array(self.history.customers, dtype=object)[queries.customer]
        moments = np.rint(queries.time * MILLISECONDS).astype(np.int64)
        at = pl.Series(moments, dtype=pl.Int64).cast(pl.Datetime("ms", "UTC")).cast(UTC_TIME)
        return pl.DataFrame({"customer": pl.Series(names.tolist(), dtype=pl.String), "at": at})

    def active(self, cutoff: float) -> Queries:
        """Every customer with an outcome event in the `active_days` before `cutoff`, asked at `cutoff`."""
        return self._with_outcomes(cutoff - self.config.active_days, cutoff)

    def with_history(self, cutoff: float) -> Queries:
        """Every customer with any outcome event before `cutoff`, asked at `cutoff`."""
        return self._with_outcomes(self.start - 1.0, cutoff)

    def _with_outcomes(self, start: float, stop: float) -> Queries:
        """Found by the very comparison that later tells what lies before a query, to the millisecond."""
        everyone = np.arange(len(self.history.customers))
        first, last = (
            self.history.outcomes_before(everyone, np.full(len(everyone), time)) for time in (start, stop)
        )
        customer = np.flatnonzero(last > first)
        return Queries(customer, np.full(len(customer), stop))


def training_world(
    config: TrainingConfig, dataset: Dataset, *, train_end: float, cuts: Sequence[float]
) -> World:
    """Fit vocabularies and scales on what lies before `train_end`; read events up to the last of `cuts`."""
    vocabulary = fit_vocabulary(dataset, end=train_end, until=max(cuts))
    if config.text_model:
        from neural.text.products import with_texts  # transformers takes seconds to import

        vocabulary = with_texts(vocabulary, config)
    limits = fit_limits(dataset, config.cleaning, end=train_end)
    history = _history(config, dataset, vocabulary, limits, cuts, None)
    rows = read_attributes(dataset, history.customers, config.excluded)
    early = np.unique(history.visit_customer[history.visit_time < train_end])
    scale = fit_scale([rows[index] for index in early])
    attributes = encode_attributes(rows, scale)
    said = read_said(dataset, config.agent, history.customers, vocabulary)
    start, traits = _start(dataset), read_traits(dataset, config.excluded)
    return World(
        config, vocabulary, history, attributes, scale, start, tuple(cuts), limits, said, traits=traits
    )


def scoring_world(
    config: TrainingConfig,
    dataset: Dataset,
    vocabulary: Vocabulary,
    scale: NumberScale,
    limits: Limits,
    *,
    cuts: Sequence[float],
    shard: int | None = None,
    crowd: World | None = None,
) -> World:
    """Read a dataset with what an artifact learnt; of a shard's customers alone, before the `crowd`."""
    history = _history(config, dataset, vocabulary, limits, cuts, shard)
    rows = read_attributes(dataset, history.customers, config.excluded)
    attributes = encode_attributes(rows, scale)
    said = read_said(dataset, config.agent, history.customers, vocabulary)
    if crowd is None:
        traits = read_traits(dataset, config.excluded)
    else:
        traits = read_traits(dataset, config.excluded, crowd.traits.words, shard)
    return World(
        config,
        vocabulary,
        history,
        attributes,
        scale,
        _start(dataset),
        tuple(cuts),
        limits,
        said,
        crowd=crowd,
        traits=traits,
    )


def everyone_world(
    config: TrainingConfig,
    dataset: Dataset,
    vocabulary: Vocabulary,
    scale: NumberScale,
    limits: Limits,
    *,
    cuts: Sequence[float],
) -> World:
    """All customers as far as the market asks for them, see `neural.data.everyone`: nobody can be scored."""
    shards = range(dataset.manifest.shards)
    history = join([slim(_history(config, dataset, vocabulary, limits, cuts, shard)) for shard in shards])
    traits = read_traits(dataset, config.excluded)
    empty = nobody(config, dataset, vocabulary, scale, limits, cuts=cuts)
    return replace(empty, history=history, traits=traits)


def nobody(
    config: TrainingConfig,
    dataset: Dataset,
    vocabulary: Vocabulary,
    scale: NumberScale,
    limits: Limits,
    *,
    cuts: Sequence[float],
    words: Sequence[Word] = (),
) -> World:
    """A world without customers, for what is known of everybody beforehand; `words` number their traits."""
    said = read_said(dataset, config.agent, [], vocabulary)
    attributes, traits = encode_attributes([], scale), Traits(list(words))
    start, empty = _start(dataset), join([])
    return World(
        config, vocabulary, empty, attributes, scale, start, tuple(cuts), limits, said, traits=traits
    )


def _start(dataset: Dataset) -> float:
    first = dataset.manifest.first_event
    return to_days(parse_time(first)) if first else 0.0


def _history(
    config: TrainingConfig,
    dataset: Dataset,
    vocabulary: Vocabulary,
    limits: Limits,
    cuts: Sequence[float],
    shard: int | None,
) -> History:
    history = read_history(
        dataset,
        vocabulary,
        outcome_kinds=config.outcome_kinds,
        cuts=cuts,
        until=max(cuts),
        shard=shard,
        cleaning=config.cleaning,
        limits=limits,
    )
    if "quantity" in config.excluded:
        history = replace(
            history,
            visit_quantity=np.zeros_like(history.visit_quantity),
            line_quantity=np.zeros_like(history.line_quantity),
        )
    if "amount" in config.excluded:
        history = replace(
            history,
            visit_amount=np.zeros_like(history.visit_amount),
            line_amount=np.zeros_like(history.line_amount),
        )
    return history
