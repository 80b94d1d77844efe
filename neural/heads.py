"""Heads: what is asked of the encoder's state. Shapes: Q queries, P products, D width."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neural.data import candidates, trends
from neural.data.batches import QUERY_NUMBERS, Batch
from neural.data.places import STEPS
from neural.data.repeats import DECAYS
from neural.encoder import Shape
from neural.listing import Factors
from neural.retrieval import Pairs

Inputs = dict[str, Tensor]
OWNED = DECAYS.index(120.0)  # the count that weighs a customer's products
HIDDEN = 64  # units of the judges of pairs
EVEN = 12**0.5  # brings what is spread evenly over 0 … 1 to a standard deviation of 1

# Weights of features at which learning begins: what a customer buys first, then what goes with it, then what
# sells. A small shop has too few steps to find them.
AGAIN = {"count_45": 0.3, "count_120": 0.4, "count_365": 0.3, "times": 0.2, "share": 0.3}
AGAIN_AHEAD = 3.0  # logit of what was bought before beside what was not
ANEW = {"near": 0.8, "expected": 0.3}
TREND = (0.0, 0.4, *[0.0] * (trends.FEATURES - 2))  # weights of a day's sales at which learning begins


class NextProductHead(nn.Module):
    """Logit of each product = trends, and for the customer's candidates what a judge of pairs adds.

    trends  weights, chosen by the state, of what sells lately and sold in this season
    judges  of a candidate bought before: how often, how lately, is it due (with a bias per product); of one
            new to the customer: does it go with what the customer buys, is it rising, is it affordable.
            Both see the state, all features of the pair and the market, and meet in one softmax, so that
            training mixes what is bought again with what is discovered.

    Outside the candidates a logit is a product of vectors, see `neural.retrieval`. Nothing else of a product
    itself is learnt here: vectors that have seen what the training queries ask for would answer by heart.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self.linear = shape.backbone == "mf"
        self.ask = nn.Linear(2 * width + QUERY_NUMBERS, width)
        self.trend = _begin_at(nn.Linear(width, trends.FEATURES), TREND)
        self.again = PairJudge(width, shape.dropout, AGAIN, AGAIN_AHEAD)
        self.anew = PairJudge(width, shape.dropout, ANEW)
        self.repeat_bias = nn.Embedding(shape.products + 1, 1)
        self.dropout = nn.Dropout(shape.dropout)
        nn.init.zeros_(self.repeat_bias.weight)

    def forward(self, state: Tensor, batch: Batch, products: Tensor, row: Tensor, inputs: Inputs) -> Tensor:
        """-> (Q, P)"""
        asked = self._asked(state, batch, products, inputs)
        logits = self._trends(asked, inputs, len(row))  # (Q, P)
        pairs = self._judge(asked, batch, row, inputs)
        flat = logits.reshape(-1).index_add(
            0, pairs.query * logits.shape[1] + pairs.product, pairs.bonus.to(logits.dtype)
        )  # (Q * P,)
        return flat.view_as(logits)

    def factors(self, state: Tensor, batch: Batch, products: Tensor, row: Tensor, inputs: Inputs) -> Factors:
        """The same logits as vectors: a query's are the weights of the trends, in the columns of its day."""
        asked = self._asked(state, batch, products, inputs)
        found = inputs["trends"][:, : len(row)]  # (days, P, F)
        weight = self.trend(asked)  # (Q, F)
        mine = F.one_hot(inputs["trend_row"], len(found)).to(weight.dtype)  # (Q, days)
        queries = (mine[:, :, None] * weight[:, None, :]).flatten(1)  # (Q, days * F)
        return Factors(queries, found.transpose(0, 1).flatten(1), self._judge(asked, batch, row, inputs))

    def _asked(self, state: Tensor, batch: Batch, products: Tensor, inputs: Inputs) -> Tensor:
        """-> (Q, D)"""
        owned = self._owned(products, len(state), inputs)
        asked = self.ask(torch.cat([state, owned, batch.query_numbers], dim=1))
        result: Tensor = self.dropout(asked if self.linear else F.gelu(asked))
        return result

    def _owned(self, products: Tensor, queries: int, inputs: Inputs) -> Tensor:
        """Mean vector of all the customer ever bought, recent purchases weighing more. -> (Q, D)"""
        query = inputs["own_query"]  # (R,) sorted
        weight = inputs["own_weight"]  # (R,)
        total = torch.zeros(queries, device=weight.device).index_add(0, query, weight)
        start = torch.searchsorted(query, torch.arange(queries, device=query.device))
        share = (weight / total[query]).to(products.dtype)
        owned = F.embedding_bag(inputs["own_product"], products, start, mode="sum", per_sample_weights=share)
        return owned * 8

    def _trends(self, asked: Tensor, inputs: Inputs, size: int) -> Tensor:
        """Day by day, as queries share few days: that is a third of the traffic of a gather. -> (Q, P)"""
        found = inputs["trends"][:, :size]  # (days, P, F)
        day = inputs["trend_row"]  # (Q,)
        order = torch.argsort(day, stable=True)
        counts = torch.bincount(day, minlength=len(found)).tolist()
        weight = self.trend(asked)[order].split(counts)  # days x (q, F)
        pieces = [part @ found[index].T for index, part in enumerate(weight)]  # days x (q, P)
        return torch.cat(pieces)[torch.argsort(order)]

    def _judge(self, asked: Tensor, batch: Batch, row: Tensor, inputs: Inputs) -> Pairs:
        """What the judges add for the candidates."""
        known = inputs["pair_product"] < len(row)  # in training later products stay unknown
        query, product = inputs["pair_query"][known], inputs["pair_product"][known]  # (R,), (R,)
        own, features = inputs["pair_own"][known], inputs["pair_features"][known]  # (R,), (R, F)
        bonus = torch.zeros(len(query), device=features.device, dtype=asked.dtype)
        for judge, mine in ((self.again, own), (self.anew, ~own)):
            found = judge(features[mine], asked, batch.query_numbers, query[mine])
            bonus = bonus.masked_scatter(mine, found.to(bonus.dtype))
        return Pairs(query, product, bonus + self.repeat_bias(row[product])[:, 0] * own)


class PairJudge(nn.Module):
    """What the features of a pair, places of 0 … STEPS (R, F), say for it: a residual network beside a line.

    The network sees each feature as STEPS numbers, the parts of the scale that lie below its place, so that
    a single weight bends its curve where the scale has a step.
    Source: Gorishniy et al., "On Embeddings for Numerical Features in Tabular Deep Learning" (NeurIPS 2022).
    """

    def __init__(self, width: int, dropout: float, begin: dict[str, float], ahead: float = 0.0) -> None:
        super().__init__()
        self.features = nn.Linear(candidates.FEATURES * STEPS, HIDDEN)
        self.numbers = nn.Linear(QUERY_NUMBERS, HIDDEN, bias=False)
        self.state = nn.Linear(width, HIDDEN, bias=False)
        self.inner = nn.Linear(HIDDEN, HIDDEN)
        self.out = nn.Linear(HIDDEN, 1)
        self.straight = nn.Linear(candidates.FEATURES, 1)
        self.dropout = nn.Dropout(dropout / 2)
        for weight in (self.state.weight, self.out.weight, self.out.bias):
            nn.init.zeros_(weight)
        weights = [begin.get(column, 0.0) for column in candidates.COLUMNS]
        with torch.no_grad():
            self.straight.weight.copy_(torch.tensor([weights]))
            self.straight.bias.fill_(ahead)

    def forward(self, features: Tensor, asked: Tensor, numbers: Tensor, query: Tensor) -> Tensor:
        """-> (R,)"""
        steps = torch.arange(STEPS, device=features.device)
        parts = (features[:, :, None] - steps).clamp(0, 1).flatten(1)  # (R, F * STEPS)
        customer = self.state(asked) + self.numbers(numbers)  # (Q, H)
        hidden = F.gelu(self.features(parts) + customer[query])  # (R, H)
        hidden = hidden + F.gelu(self.inner(self.dropout(hidden)))
        even = (features / STEPS - 0.5) * EVEN
        found: Tensor = (self.out(self.dropout(hidden)) + self.straight(even)).squeeze(1)
        return found


def _begin_at(layer: nn.Linear, values: tuple[float, ...]) -> nn.Linear:
    """Let a layer answer `values`, whatever the state, until it learns better."""
    nn.init.zeros_(layer.weight)
    with torch.no_grad():
        layer.bias.copy_(torch.tensor(values))
    return layer


class NextVisitHead(nn.Module):
    """Pretraining: the products of the next visit from the state alone, so that the encoder must learn."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.taste = nn.Linear(shape.width + QUERY_NUMBERS, shape.width)
        self.bias = nn.Embedding(shape.products + 1, 1)
        nn.init.zeros_(self.bias.weight)

    def forward(self, state: Tensor, batch: Batch, products: Tensor, row: Tensor, inputs: Inputs) -> Tensor:
        """-> (Q, P)"""
        asked = self.taste(torch.cat([state, batch.query_numbers], dim=1))  # (Q, D)
        logits: Tensor = asked @ products.T + self.bias(row).squeeze(1)
        return logits


class SurvivalHead(nn.Module):
    """Hazard of the next purchase in each of `bins` weeks, from the state and a table of facts.

    The chance of no purchase within the horizon is the product of the weeks' survivals.
    """

    def __init__(self, shape: Shape, columns: int, bins: int) -> None:
        super().__init__()
        width = shape.width
        self.dropout = nn.Dropout(shape.dropout)
        if shape.backbone == "mf":  # logistic in factors and table
            self.body: nn.Module = nn.Identity()
            self.hazard = nn.Linear(width + columns, bins)
        else:
            self.body = nn.Sequential(
                nn.Linear(width + columns, 2 * width),
                nn.GELU(),
                nn.Dropout(shape.dropout),
                nn.Linear(2 * width, width),
                nn.GELU(),
            )
            self.hazard = nn.Linear(width, bins)
        nn.init.constant_(self.hazard.bias, -2.5)

    def forward(self, state: Tensor, batch: Batch, products: Tensor, row: Tensor, inputs: Inputs) -> Tensor:
        """Logits of the hazards. -> (Q, bins)"""
        joined = torch.cat([self.dropout(state), inputs["table"]], dim=1)  # (Q, D + columns)
        logits: Tensor = self.hazard(self.body(joined))
        return logits


def survival_loss(
    logits: Tensor, event_bin: Tensor, last_bin: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Negative log-likelihood of discrete-time survival, censoring included.

    logits (Q, bins). `event_bin` (Q,) is the week of the purchase or -1; `last_bin` (Q,) is the number of
    weeks observed in full or up to the purchase. `weight` (Q,) makes the mean over queries a weighted one.
    An `event_bin` of `bins` says that there was a purchase within them, but not when.
    """
    week = torch.arange(logits.shape[1], device=logits.device)
    seen = (week < last_bin[:, None]).to(logits.dtype)  # (Q, bins)
    event = (week == event_bin[:, None]).to(logits.dtype)
    terms = F.binary_cross_entropy_with_logits(logits, event, reduction="none") * seen
    losses = terms.sum(1)  # (Q,)
    some_time = event_bin == logits.shape[1]
    if some_time.any():
        silent = -F.softplus(logits[some_time]).sum(1)  # log of the chance of no purchase at all
        losses = losses.index_put((some_time,), -torch.log(-torch.expm1(silent.clamp(max=-1e-6))))
    if weight is None:
        return losses.mean()
    return (losses * weight).sum() / weight.sum()
