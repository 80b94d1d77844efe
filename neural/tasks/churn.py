"""`churn`: will this active customer buy nothing within the horizon?"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from neural.baselines.churn import RecencyRule
from neural.calibration import Calibration, apply_platt, fit_platt, logit
from neural.data.batches import in_window
from neural.data.history import Bools, Floats, Ints
from neural.data.said import Said
from neural.data.table import CLOCK, Table
from neural.data.world import Queries
from neural.encoder import Shape
from neural.evaluation.classification import Predicted, classification_curves, classification_metrics
from neural.heads import Inputs, SurvivalHead, survival_loss
from neural.model import Model
from neural.prediction import answers
from neural.reasons.churn import warn
from neural.tasks.balance import balanced
from neural.tasks.base import Realised, Report, Task
from neural.windows import Windows

WEEK = 7.0
STEP = 30.0  # days between training cut-offs
SETTLED = 90.0  # days of history before a cut-off tells of a season
SEASONS = 13  # cut-offs a step apart: a year
LEFT = ("left", "accepted")  # labels, and feedback to a warning: it was right
STAYED = ("stayed", "wrong")


class Churn(Task):
    metric: ClassVar[str] = "negative_log_loss"
    calendar: ClassVar[bool] = False  # one known season misleads the encoder; the head is told the date
    classes: ClassVar[bool] = True
    own_shard_only: ClassVar[bool] = True

    @cached_property
    def table(self) -> Table:
        return Table(self.world)

    @property
    def bins(self) -> int:
        return max(1, round(self.world.config.horizon_days / WEEK))

    def prepare(self, windows: Windows) -> None:
        """Learn the scale of the table's columns."""
        queries = self.training_queries(windows, np.random.default_rng(self.world.config.seed))
        columns = self.table.columns(queries)
        if len(columns):
            spread = columns.std(axis=0)
            self.learnt["mean"] = columns.mean(axis=0).tolist()
            self.learnt["spread"] = np.where(spread > 1e-6, spread, 1.0).tolist()
        if self.world.config.class_weight == "balanced":
            targets = self.targets(queries, windows.validation)
            self.learnt["class_weight"] = balanced(_outcome(targets, self.bins))

    def head(self, shape: Shape) -> nn.Module:
        return SurvivalHead(shape, len(self.learnt["mean"]), self.bins)

    def training_queries(self, windows: Windows, rng: np.random.Generator) -> Queries:
        """Everyone active at cut-offs a month apart, from a random start; late ones are censored."""
        last = windows.validation - WEEK - rng.random() * STEP
        earliest = windows.start + min(90.0, (windows.validation - windows.start) / 3)
        asked = [self.world.active(cutoff) for cutoff in np.arange(last, earliest, -STEP)]
        if not asked:
            return Queries(np.zeros(0, np.int64), np.zeros(0))
        queries = Queries(
            np.concatenate([q.customer for q in asked]), np.concatenate([q.time for q in asked])
        )
        return in_window(self.world, queries.take(np.lexsort((queries.time, queries.customer))))

    def inputs(self, queries: Queries) -> Inputs:
        columns = self.table.columns(queries)
        mean, spread = (np.asarray(self.learnt[name], np.float32) for name in ("mean", "spread"))
        return {"table": torch.from_numpy(np.clip((columns - mean) / spread, -6, 6))}

    def targets(self, queries: Queries, until: float) -> Inputs:
        horizon = float(self.world.config.horizon_days)
        width = horizon / self.bins
        wait = self.table.counter.next_order(queries)
        whole = np.floor(np.clip(until - queries.time, 0.0, horizon) / width + 1e-9)  # weeks observed in full
        bought = wait < width * whole  # in a week half observed, counting buyers alone would raise the hazard
        week = np.where(bought, np.minimum(np.floor(np.where(bought, wait, 0) / width), self.bins - 1), -1)
        observed = np.where(bought, week + 1, whole)
        said = self._answers(queries, until)
        # Whoever bought keeps the week; of one who is said to have stayed without buying none is known.
        week = np.where(said == 1, -1, np.where((said == 0) & (week < 0), self.bins, week))
        observed = np.where((said == 1) | (week == self.bins), self.bins, observed)
        found = {
            "event_bin": torch.from_numpy(week.astype(np.int64)),
            "last_bin": torch.from_numpy(observed.astype(np.int64)),
        }
        if "class_weight" in self.learnt:
            weights = np.array([*self.learnt["class_weight"], 1.0], np.float32)  # stayed, left, -1: unknown
            found["weight"] = torch.from_numpy(weights[_outcome(found, self.bins)])
        if (said >= 0).any():
            weight = np.where(said >= 0, self.world.config.label_weight, 1.0).astype(np.float32)
            found["weight"] = found.get("weight", torch.ones(len(said))) * torch.from_numpy(weight)
        return found

    @cached_property
    def said(self) -> Said:
        said = self.world.said
        known = np.isin(said.label.astype(str), (*LEFT, *STAYED)) & (said.subject == "customer")
        return said.where(known & (said.customer >= 0) & (self.world.config.label_weight > 0))

    def _answers(self, queries: Queries, until: float) -> Ints:
        """What people said of each query's outcome: 1 left, 0 stayed, -1 nothing. (Q,)"""
        found = np.full(len(queries), -1, np.int64)
        row, query = self.said.within(queries, float(self.world.config.horizon_days), until)
        for place, answer in zip(query.tolist(), self.said.label[row], strict=True):  # the last word counts
            found[place] = int(answer in LEFT)
        return found

    def loss(self, answer: Tensor, targets: Inputs) -> Tensor:
        return survival_loss(answer, targets["event_bin"], targets["last_bin"], targets.get("weight"))

    def window(self, cutoff: float) -> tuple[Queries, Bools]:
        """Everyone active at the cut-off, and whether nothing was bought in the horizon after it."""
        queries = self.world.active(cutoff)
        return queries, self.table.counter.next_order(queries) >= self.world.config.horizon_days

    def outcome(self, cutoff: float) -> tuple[Queries, Bools]:
        return self.window(cutoff)

    def validate(self, model: Model, windows: Windows) -> dict[str, float]:
        """The log loss is measured after Platt scaling, so that a shift of the season does not decide."""
        queries, label = self.window(windows.validation)
        if len(queries) == 0:
            return {}
        raw = self._logits(model, queries)
        probability = np.clip(apply_platt(raw, fit_platt(raw, label)), 1e-6, 1 - 1e-6)
        loss = -np.mean(np.where(label, np.log(probability), np.log(1 - probability)))
        found = {"negative_log_loss": float(-loss)}
        area = classification_metrics(label, probability)["roc_auc"]
        return found if area is None else {**found, "roc_auc": area}

    def calibrate(self, model: Model, windows: Windows) -> Calibration:
        """Fit the latest window, and how each earlier season's window lay beside it."""
        queries, label = self.window(windows.validation)
        found = fit_platt(self._logits(model, queries), label)
        season = []
        early = np.arange(windows.validation - windows.horizon, windows.start + SETTLED, -STEP)
        for cutoff in early[:SEASONS].tolist():
            queries, label = self.window(cutoff)
            if len(queries):  # a time without customers tells of no season
                fitted = fit_platt(self._logits(model, queries), label, slope=found["slope"])
                season.append([cutoff, fitted["offset"]])
        return {**found, "validation": windows.validation, "season": season}

    def report(self, model: Model, calibration: Mapping[str, Any], windows: Windows, cutoff: float) -> Report:
        queries, label = self.window(cutoff)
        probability = apply_platt(self._logits(model, queries), calibration, cutoff)
        said = {"model": Predicted(probability), **self._baselines(queries, windows)}
        measured = {name: each.metrics(label) for name, each in said.items()}
        columns = {name: column for method, each in said.items() for name, column in each.columns(method)}
        return Report(
            len(queries),
            measured.pop("model"),
            measured,
            classification_curves(label, probability) if len(label) else {},
            self.world.named(queries).with_columns(label=pl.Series(label), **columns),
            "roc_auc",
        )

    def score(
        self, model: Model, calibration: Mapping[str, Any], as_of: float, customers: list[str]
    ) -> pl.DataFrame:
        def probabilities(queries: Queries) -> Floats:
            # One season for both moments that are compared: a trend means that the customer has changed.
            return apply_platt(self._logits(model, queries), calibration, as_of)

        return warn(self.world, self.table, probabilities, as_of, customers)

    def population(self, as_of: float) -> Queries:
        return self.world.active(as_of)

    def columns(self, queries: Queries) -> dict[str, Floats]:
        """The table, but for the columns that the clock alone moves."""
        values = self.table.columns(queries).astype(np.float64)
        return {name: values[:, place] for place, name in enumerate(self.table.names) if name not in CLOCK}

    def strengths(self, model: Model, calibration: Mapping[str, Any], queries: Queries) -> Floats:
        as_of = float(queries.time.max(initial=0.0))
        return apply_platt(self._logits(model, queries), calibration, as_of)

    def realised(self, scores: pl.DataFrame, as_of: float) -> Realised:
        """Of those who were active then and had a probability: who bought nothing within the horizon."""
        queries, label = self.window(as_of)
        said = dict(scores.filter(pl.col("score").is_not_null()).select("customer", "score").iter_rows())
        names = [self.world.history.customers[number] for number in queries.customer]
        kept = [index for index, name in enumerate(names) if name in said]
        label = label[np.asarray(kept, np.int64)]
        probability = np.asarray([said[names[index]] for index in kept], np.float64)
        metrics = classification_metrics(label, probability)
        return Realised([names[index] for index in kept], label, metrics)

    def _logits(self, model: Model, queries: Queries) -> Floats:
        """Logit of the chance of no purchase: survivals multiply, so their logs add. (Q,)"""
        result = np.zeros(len(queries))
        for index, _, hazards in answers(model, self.world, queries, self.inputs):
            result[index] = logit(np.exp(-np.logaddexp(0, hazards.astype(np.float64)).sum(axis=1)))
        return result

    def _baselines(self, queries: Queries, windows: Windows) -> dict[str, Predicted]:
        """The recency rule ranks by days since the last purchase and warns from N days on."""
        fitted, truth = self.window(windows.validation)
        found: dict[str, Predicted] = {}
        if "recency_rule" in self.world.config.baselines:
            rule = RecencyRule.fit(self.table.counter.days_since(fitted), truth)
            since = self.table.counter.days_since(queries)
            found["recency_rule"] = Predicted(
                rule.probability(since), since, rule.warns(since), {"days": rule.days}
            )
        if "base_rate" in self.world.config.baselines:
            share = float(truth.mean()) if len(truth) else 0.5
            found["base_rate"] = Predicted(np.full(len(queries), share))
        return found


def _outcome(targets: Inputs, bins: int) -> Ints:
    """0 for whoever bought within the horizon, 1 for whoever did not, -1 where that is not known yet. (Q,)"""
    bought, watched = targets["event_bin"].numpy() >= 0, targets["last_bin"].numpy() == bins
    return np.where(bought, 0, np.where(watched, 1, -1))
