"""`next_product`: which products will this customer buy within the horizon?"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor, nn

from neural.baselines.ranking import RANKERS, Ranker
from neural.calibration import Calibration, apply_platt, facts_shift, fit_with_facts, logit
from neural.data import kept
from neural.data.batches import in_batches, in_window
from neural.data.candidates import CandidateFinder, Candidates
from neural.data.history import Bools, Floats, Ints
from neural.data.kept import Kept
from neural.data.places import Places
from neural.data.repeats import Repeats
from neural.data.said import Said
from neural.data.similarity import Neighbours
from neural.data.table import Counter
from neural.data.world import Queries
from neural.encoder import Shape
from neural.evaluation.novelty import Popularity
from neural.evaluation.ranking import (
    LENGTH,
    Truth,
    bought_between,
    join_lists,
    ranking_metrics,
    top_lists,
    without_own,
)
from neural.evaluation.recommending import Ranked, RankingTest
from neural.heads import OWNED, Inputs, NextProductHead
from neural.listing import Listed, best_shares, lend, list_best
from neural.losses import NEVER, places_loss, set_loss
from neural.model import Model
from neural.prediction import answers, at_once, factors
from neural.products.audience import Audience, audience_table, kept_in
from neural.products.tables import relations_table
from neural.products.unsold import Lenders
from neural.reasons.market import Market
from neural.reasons.recommendations import recommend
from neural.sampling import FULL
from neural.tasks.base import Metrics, Realised, Report, Task
from neural.tasks.feedback import Floats32, refused_products, teach, verdicts
from neural.windows import Windows

YEAR = 365.0  # days
FACTS = 3
ENOUGH = 20_000  # customers to calibrate on
NEWEST, SCALED = 3, 600  # anchors and customers from which the scale of features is learnt
MARKET = 0.25  # of the loss over all products, beside those over candidates
TAUGHT = 6  # newest anchors that are asked about in training: what sells changes with the season


CALLED = 200  # best products of each customer among whose callers the customer may be, in a large catalogue

Batches = Iterator[tuple[Ints, Queries, npt.NDArray[Any]]]
Lists = Iterator[tuple[Ints, Queries, Listed]]


class NextProduct(Task):
    metric: ClassVar[str] = "ndcg@10"
    _kept: Kept | None = None
    _asked_last: tuple[Queries, tuple[Candidates, Repeats, Floats32, Ints]] | None = None

    def head(self, shape: Shape) -> nn.Module:
        return NextProductHead(shape)

    def prepare(self, windows: Windows) -> None:
        """Learn the scale of the pairs' features on some of the newest training queries."""
        queries = self.training_queries(windows, np.random.default_rng(self.world.config.seed))
        if len(queries):
            queries = queries.take(np.flatnonzero(queries.time >= np.unique(queries.time)[-NEWEST:][0]))
            queries = some(queries, self.world.config.seed, SCALED)
        pairs = self._found(queries)
        self.learnt["pairs"] = Places.fit(pairs, self.world.config.seed).as_json()

    def training_queries(self, windows: Windows, rng: np.random.Generator) -> Queries:
        """Ask about everyone who buys within the horizon after an anchor, as the model is asked later.

        Anchors are set apart from purchases, so the time since the last visit is distributed as it is when
        the model is used, and not as it is just before a purchase.
        """
        return self._kept_for(self._asked(windows.validation))

    def refitting_queries(self, windows: Windows, rng: np.random.Generator) -> Queries:
        return self._kept_for(self._asked(windows.test))

    def _kept_for(self, queries: Queries) -> Queries:
        """Find the candidates of a phase's queries once; those of very many would not fit into memory."""
        fits = "pairs" in self.learnt and len(queries) <= kept.MOST
        if fits and not (self._kept and self._kept.holds(queries)):
            self._kept = Kept.of(queries, lambda part: self._places.apply(self._found(part)))
        return queries

    def _asked(self, until: float) -> Queries:
        anchors = [time for time in self._neighbours.anchors.tolist() if time < until - 0.5]
        first = self.world.start + self.world.config.horizon_days
        asked = [self.world.with_history(time) for time in anchors if time >= first]
        asked = asked[-TAUGHT:]
        if not asked:
            return Queries(np.zeros(0, np.int64), np.zeros(0))
        queries = Queries(
            np.concatenate([q.customer for q in asked]), np.concatenate([q.time for q in asked])
        )
        queries = queries.take(np.lexsort((queries.time, queries.customer)))
        truth, _ = self._taught(queries, until)
        return in_window(self.world, queries.take(np.flatnonzero(truth.size > 0)))

    def inputs(self, queries: Queries) -> Inputs:
        pairs, own, market, day = self._pairs(queries)
        weight = np.ascontiguousarray(own.features[:, OWNED])
        return {
            "own_query": torch.from_numpy(own.query),
            "own_product": torch.from_numpy(own.product),
            "own_weight": torch.from_numpy(weight),
            "trends": torch.from_numpy(np.ascontiguousarray(market)),
            "trend_row": torch.from_numpy(day),
            "pair_query": torch.from_numpy(pairs.query),
            "pair_product": torch.from_numpy(pairs.product),
            "pair_own": torch.from_numpy(pairs.own),
            "pair_features": torch.from_numpy(pairs.features),
        }

    def _pairs(self, queries: Queries) -> tuple[Candidates, Repeats, Floats32, Ints]:
        """Kept until others are asked about: in training the inputs and the targets both want them."""
        if self._asked_last is None or self._asked_last[0] is not queries:
            own = self.world.own.before(queries.customer, queries.time)
            market, day = self.world.trends.features(queries.time)
            pairs = self._kept.take(queries) if self._kept else None
            if pairs is None:
                pairs = self._places.apply(self._finder.find(queries, own, market, day))
            self._asked_last = queries, (pairs, own, market, day)
        return self._asked_last[1]

    def _found(self, queries: Queries) -> Candidates:
        """The candidates with their features as they are."""
        own = self.world.own.before(queries.customer, queries.time)
        return self._finder.find(queries, own, *self.world.trends.features(queries.time))

    @cached_property
    def _finder(self) -> CandidateFinder:
        return CandidateFinder(self.world, self._neighbours)

    @cached_property
    def _places(self) -> Places:
        return Places.read(self.learnt.get("pairs"))

    def targets(self, queries: Queries, until: float) -> Inputs:
        """The pairs bought; the customers' candidates and which are new to them; what was `unsold` then."""
        truth, weight = self._taught(queries, until)
        pairs = self._pairs(queries)[0]
        unsold = self.world.first_sale >= queries.time[:, None]  # (Q, P)
        found = {
            "query": torch.from_numpy(truth.query),
            "product": torch.from_numpy(truth.product),
            "pair_query": torch.from_numpy(pairs.query),
            "pair_product": torch.from_numpy(pairs.product),
            "pair_own": torch.from_numpy(pairs.own),
            "unsold": torch.from_numpy(unsold),
        }
        return found if weight is None else {**found, "weight": torch.from_numpy(weight)}

    def loss(self, answer: Tensor, targets: Inputs) -> Tensor:
        """Both lists that staff read are taught: of all candidates, and of those new to the customer.

        What was bought outside of the candidates teaches the market's trends alone: no judge could have
        listed it, and held against it the best of the list would only be pushed down.
        """
        known = answer.shape[1]
        query, product = targets["query"], targets["product"]
        weight = targets.get("weight", torch.ones(len(query), device=answer.device))
        kept = product < known  # not first sold after the vocabulary was made
        query, product, weight = query[kept], product[kept], weight[kept]
        listed = torch.zeros_like(answer, dtype=torch.bool)
        fresh = torch.zeros_like(listed)
        seen = targets["pair_product"] < known
        pair = targets["pair_query"][seen], targets["pair_product"][seen]
        listed[pair] = True
        fresh[pair] = ~targets["pair_own"][seen]
        total = answer.new_zeros(())
        for candidates in (listed, fresh):
            among = candidates[query, product]
            truth = query[among], product[among], weight[among]
            logits = answer.masked_fill(~candidates, NEVER)
            total = total + set_loss(logits, *truth) + places_loss(logits, *truth)
        unsold = targets["unsold"][:, :known].clone()
        unsold[query, product] = False
        market = set_loss(answer.masked_fill(unsold, NEVER), query, product, weight)
        return total + MARKET * market

    @cached_property
    def said(self) -> Said:
        """What training learns from: of products that it knows, as the model answers no others then."""
        said = verdicts(self.world.said, self.world.config.label_weight > 0)
        return said.where(said.product < self.world.vocabulary.known)

    def _taught(self, queries: Queries, until: float) -> tuple[Truth, Floats32 | None]:
        """What was bought and what staff said would suit; without what they said would not. See `teach`."""
        truth = self._truth(queries, until)
        config = self.world.config
        return teach(truth, self.said, queries, float(config.horizon_days), until, config.label_weight)

    def outcome(self, cutoff: float) -> tuple[Queries, Bools]:
        """Whether each customer with a history buys anything."""
        queries = self.world.with_history(cutoff)
        return queries, self._truth(queries, np.inf).size > 0

    def outcome_facts(self, cutoff: float) -> dict[str, float]:
        """Share of the pairs bought that are new to their customer, and of the catalogue that is bought."""
        queries = self.world.with_history(cutoff)
        truth = self._truth(queries, np.inf)
        own = self.world.own.before(queries.customer, queries.time)
        new = without_own(truth, own.query, own.product)
        bought = len(np.unique(truth.product))
        return {
            "new_share": len(new.product) / max(len(truth.product), 1),
            "coverage": bought / max(self._candidates(cutoff), bought, 1),
        }

    def validate(self, model: Model, windows: Windows) -> dict[str, float]:
        queries = self._buyers(windows.validation)
        lists, _ = self._model_lists(model, queries, windows.validation)
        found = ranking_metrics(
            lists, self._truth(queries, windows.test), self._candidates(windows.validation)
        )
        return {name: value for name in ("ndcg@10", "recall@20") if (value := found[name]) is not None}

    def calibrate(self, model: Model, windows: Windows) -> Calibration:
        """Fit the chance that a listed product is bought, over all customers asked, buyers or not."""
        queries = some(self.world.with_history(windows.validation), self.world.config.seed)
        truth = self._truth(queries, windows.test)
        logits, facts, hits = [np.zeros(0)], [np.zeros((0, FACTS))], [np.zeros(0, bool)]
        for index, part, found in self._shares(model, queries, windows.validation):
            listed = found.products >= 0
            logits.append(logit(found.chances[listed]))
            facts.append(np.repeat(self._facts(part), listed.sum(axis=1), axis=0))
            hits.append(truth.take(index).contains(found.products)[listed])
        return fit_with_facts(np.concatenate(logits), np.concatenate(facts), np.concatenate(hits))

    def report(self, model: Model, calibration: Mapping[str, Any], windows: Windows, cutoff: float) -> Report:
        test = self._test(cutoff)
        ranked = {"model": Ranked(*self._model_lists(model, test.queries, cutoff))}
        for name in self.world.config.baselines:
            ranked[name] = self._by_ranker(RANKERS[name](self.world, cutoff), test)
        measured = {name: test.metrics(lists) for name, lists in ranked.items()}
        return Report(
            len(test.queries),
            measured.pop("model"),
            measured,
            test.curves(ranked),
            test.examples(self.world.named(test.queries), ranked),
            self.metric,
        )

    def measure_ranker(self, ranker: Ranker, cutoff: float) -> Metrics:
        """Put any ranker to the test that the model takes on the window that begins at `cutoff`."""
        test = self._test(cutoff)
        return test.metrics(self._by_ranker(ranker, test))

    def score(
        self,
        model: Model,
        calibration: Mapping[str, Any],
        as_of: float,
        customers: list[str],
        audience: Audience | None = None,
    ) -> pl.DataFrame:
        def lists(queries: Queries) -> Lists:
            return self._listed(model, calibration, queries, self.world.config.top_k, audience)

        return recommend(self.world, lists, as_of, customers, self._refused(as_of))

    def score_with_sides(
        self,
        model: Model,
        calibration: Mapping[str, Any],
        as_of: float,
        customers: list[str],
        *,
        shard: int,
        shards: int,
    ) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
        """Beside the lists: the best customers of each product, and once the relations of all products."""
        audience = Audience(len(self.world.vocabulary.products), kept_in(shards))
        frame = self.score(model, calibration, as_of, customers, audience)
        sides = {"audience": audience_table(self.world, audience, as_of)}
        if shard == 0:
            kept: pl.DataFrame | None = self.world.worked_out.get("relations")
            sides["relations"] = relations_table(self.world.everyone, as_of) if kept is None else kept
        return frame, sides

    def work_out(self, as_of: float) -> None:
        Market.of(self.world, as_of)
        self._neighbours.similar(as_of)
        self._finder.known.work_out(as_of)
        self.world.worked_out["relations"] = relations_table(self.world, as_of)

    def strengths(self, model: Model, calibration: Mapping[str, Any], queries: Queries) -> Floats:
        """The best product's chance."""
        found = np.full(len(queries), np.nan)
        for index, _, listed in self._listed(model, calibration, queries, 1):
            found[index] = listed.chances.max(axis=1, initial=0.0)
        return np.where(found > 0, found, np.nan)

    def realised(self, scores: pl.DataFrame, as_of: float) -> Realised:
        """The lists as shown to those who then bought anything; beside them each customer's favourites."""
        shown = dict(scores.filter(pl.col("items").is_not_null()).select("customer", "items").iter_rows())
        names = self.world.history.customers
        buyers = self._buyers(as_of)
        kept = [index for index, number in enumerate(buyers.customer) if names[number] in shown]
        queries = buyers.take(np.asarray(kept, np.int64))
        truth, candidates = self._truth(queries, np.inf), self._candidates(as_of)
        lists = np.full((len(queries), LENGTH), -1, np.int64)
        numbers = {name: number for number, name in enumerate(self.world.vocabulary.products)}
        for row, number in enumerate(queries.customer):
            listed = [numbers.get(product, -1) for product in shown[names[number]][:LENGTH]]
            lists[row, : len(listed)] = listed
        ranker = RANKERS["personal_top"](self.world, as_of)
        asked = in_batches(self.world, queries, at_once(len(self.world.vocabulary.products)))
        own, _ = self._lists(((index, part, ranker(part)) for index, part in asked), queries, as_of)
        return Realised(
            [names[number] for number in queries.customer],
            np.asarray(truth.contains(lists).any(axis=1)),
            ranking_metrics(lists, truth, candidates),
            {"personal_top": ranking_metrics(own, truth, candidates)},
        )

    # The pieces that validation, calibration and the report share

    @property
    def _wide(self) -> bool:
        """Whether there are so many products that no row of the catalogue is to be held."""
        return len(self.world.vocabulary.products) > FULL

    def _listed(
        self,
        model: Model,
        calibration: Mapping[str, Any],
        queries: Queries,
        k: int,
        audience: Audience | None = None,
    ) -> Lists:
        """The k best of what is offered with their chances; `audience` is told of more than these."""
        if self._wide:
            yield from self._listed_widely(model, calibration, queries, k, audience)
            return
        for index, part, chances in self._chances(model, calibration, queries):
            if audience is not None:
                audience.add(part.customer, chances)
            lists = top_lists(np.where(chances > 0, chances, -np.inf), k)
            yield index, part, Listed(lists, taken(chances, lists))

    def _listed_widely(
        self,
        model: Model,
        calibration: Mapping[str, Any],
        queries: Queries,
        k: int,
        audience: Audience | None,
    ) -> Lists:
        moment = float(queries.time.max(initial=0.0))
        refused, lenders = self._refused(moment), self._lenders(moment)
        names, offered = self.world.history.customers, self.world.vocabulary.offered
        width = len(lenders.unsold) + len(np.unique(lenders.weights.indices))
        for index, part, given in factors(model, self.world, queries, self.inputs, width):
            away = [sorted(refused.get(names[number], ())) for number in part.customer.tolist()]
            pairs = np.repeat(np.arange(len(away)), [len(each) for each in away])
            found = list_best(
                lend(given, lenders),
                k if audience is None else max(k, CALLED),
                offered=offered,
                calibration=calibration,
                shift=facts_shift(calibration, self._facts(part)),
                refused=(pairs, np.asarray(sum(away, []), np.int64)),
            )
            if audience is not None:
                row, place = np.nonzero(found.products >= 0)
                chances = found.chances[row, place].astype(np.float32)
                audience.add_pairs(part.customer[row], found.products[row, place], chances)
            yield index, part, found.first(k)

    def _shares(self, model: Model, queries: Queries, cutoff: float) -> Lists:
        """The best of what was sold before `cutoff`, with the bare shares."""
        if self._wide:
            sold = self.world.first_sale < cutoff
            for index, part, given in factors(model, self.world, queries, self.inputs):
                yield index, part, best_shares(given, LENGTH, offered=sold)
            return
        for index, part, scores in self._model_scores(model, queries):
            masked = self._masked(scores, cutoff)
            lists = top_lists(masked)
            yield index, part, Listed(lists, taken(share(masked), lists))

    def _model_lists(self, model: Model, queries: Queries, cutoff: float) -> tuple[Ints, Ints]:
        """As `_lists`, of the model."""
        if not self._wide:
            return self._lists(self._model_scores(model, queries), queries, cutoff)
        sold = self.world.first_sale < cutoff
        overall: list[tuple[Ints, Ints]] = []
        fresh: list[tuple[Ints, Ints]] = []
        for index, part, given in factors(model, self.world, queries, self.inputs):
            own = self.world.own.before(part.customer, part.time)
            mine = (own.query, own.product)
            overall.append((index, best_shares(given, LENGTH, offered=sold).products))
            fresh.append((index, best_shares(given, LENGTH, offered=sold, refused=mine).products))
        return join_lists(overall, len(queries)), join_lists(fresh, len(queries))

    def _chances(self, model: Model, calibration: Mapping[str, Any], queries: Queries) -> Batches:
        """Calibrated chance of every product that is offered, 0 of the others."""
        offered = self.world.vocabulary.offered
        refused = self._refused(float(queries.time.max(initial=0.0)))
        lenders = self._lenders(float(queries.time.max(initial=0.0)))
        for index, part, scores in self._model_scores(model, queries):
            scores = lenders.lend(scores)
            shift = facts_shift(calibration, self._facts(part)).astype(scores.dtype)[:, None]  # (Q, 1)
            odds = logit(share(np.where(offered, scores, -np.inf)))
            chance = apply_platt(odds, calibration, shift=shift)
            chance = np.where(offered, chance, 0.0)
            for row, number in enumerate(part.customer.tolist() if refused else ()):
                chance[row, list(refused.get(self.world.history.customers[number], ()))] = 0.0
            yield index, part, chance

    def _lenders(self, as_of: float) -> Lenders:
        """What stands for the offered products that nobody ever bought."""
        world, moment = self.world, float(self.world.market_time(np.array([as_of]))[0])
        sold = world.trends.sales(int(np.floor(moment)), 28).astype(np.int64)
        return Lenders.of(world.vocabulary, world.first_sale, sold, moment)

    def _refused(self, as_of: float) -> dict[str, set[int]]:
        return refused_products(self.world, verdicts(self.world.said, True), as_of)

    def _truth(self, queries: Queries, until: float) -> Truth:
        stop = np.minimum(queries.time + self.world.config.horizon_days, until)
        return bought_between(self.world.history, queries, stop, len(self.world.vocabulary.products))

    def _buyers(self, cutoff: float) -> Queries:
        """Customers with a history who buy in the window: ranking has no meaning for the others."""
        queries = self.world.with_history(cutoff)
        return queries.take(np.flatnonzero(self._truth(queries, np.inf).size > 0))

    def _facts(self, queries: Queries) -> Floats:
        """How often, how lately and how much the customers buy at all: shares do not tell. (Q, FACTS)"""
        orders = np.log1p(self._counter.orders(queries, YEAR))
        lines = np.log1p(self._counter.products(queries, YEAR))
        return np.stack([np.log1p(self._counter.days_since(queries)), orders, lines - orders], axis=1)

    @cached_property
    def _counter(self) -> Counter:
        return Counter(self.world.history)

    @cached_property
    def _neighbours(self) -> Neighbours:
        return Neighbours(self.world)

    def _candidates(self, cutoff: float) -> int:
        return int((self.world.first_sale < cutoff).sum())

    def _masked(self, scores: npt.NDArray[Any], cutoff: float) -> npt.NDArray[Any]:
        return np.where(self.world.first_sale < cutoff, scores, -np.inf)

    def _model_scores(self, model: Model, queries: Queries) -> Batches:
        width = len(self.world.vocabulary.products)
        return answers(model, self.world, queries, self.inputs, width)

    def _lists(self, batches: Batches, queries: Queries, cutoff: float) -> tuple[Ints, Ints]:
        """Best lists of all products, and of products new to the customer. 2 x (Q, 20)"""
        overall: list[tuple[Ints, Ints]] = []
        fresh: list[tuple[Ints, Ints]] = []
        for index, part, scores in batches:
            scores = self._masked(scores, cutoff)
            overall.append((index, top_lists(scores)))
            own = self.world.own.before(part.customer, part.time)
            scores[own.query, own.product] = -np.inf
            fresh.append((index, top_lists(scores)))
        return join_lists(overall, len(queries)), join_lists(fresh, len(queries))

    def _test(self, cutoff: float) -> RankingTest:
        queries = self._buyers(cutoff)
        truth = self._truth(queries, np.inf)
        own = self.world.own.before(queries.customer, queries.time)
        new = without_own(truth, own.query, own.product)
        popularity = Popularity.before(self.world, cutoff)
        return RankingTest(queries, cutoff, truth, new, self._candidates(cutoff), popularity)

    def _ranked(self, batches: Batches, test: RankingTest) -> Ranked:
        return Ranked(*self._lists(batches, test.queries, test.cutoff))

    def _by_ranker(self, ranker: Ranker, test: RankingTest) -> Ranked:
        asked = in_batches(self.world, test.queries, at_once(len(self.world.vocabulary.products)))
        return self._ranked(((index, part, ranker(part)) for index, part in asked), test)


def some(queries: Queries, seed: int, most: int = ENOUGH) -> Queries:
    """All queries, or `most` drawn among them."""
    if len(queries) <= most:
        return queries
    return queries.take(np.sort(np.random.default_rng(seed).choice(len(queries), most, replace=False)))


def taken(values: npt.NDArray[Any], lists: Ints) -> Floats:
    """The values of what is listed, 0 for no product. (Q, P), (Q, k) -> (Q, k)"""
    found = np.take_along_axis(values, np.maximum(lists, 0), axis=1)
    return np.asarray(np.where(lists >= 0, found, 0.0))


def share(scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Softmax of each row; a row without any candidate becomes 0. (Q, P)"""
    top = scores.max(axis=1, keepdims=True, initial=-np.inf)
    weights = np.exp(scores - np.where(np.isneginf(top), 0, top))
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30))
