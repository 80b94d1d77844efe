"""Heads: what is asked of the encoder's state. Shapes: Q queries, P products, D width."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neural.data import repeats, trends
from neural.data.batches import QUERY_NUMBERS, Batch
from neural.encoder import Shape

Inputs = dict[str, Tensor]
OWNED = repeats.DECAYS.index(120.0)  # the count that weighs a customer's products

# Weights at which learning begins: what a customer buys first, then what goes with it, then what sells.
# A small shop has too few steps to find them; fitted by themselves they come out near these.
TREND = (0.0, 0.4, 0.0)
COMPANY = (0.6,)
MEMORY = (-0.5, 0.0, 0.6, 0.5, 0.3, 0.4, 0.0, 0.7, 0.0)
REPEAT = (0.3,)


class NextProductHead(nn.Module):
    """Logit of each product = taste + trends + company + memory of the customer's own purchases.

    taste   state · product vector, and a bias per product
    trends  weights of recent sales and of last year's season, chosen by the state
    company weight, chosen by the state, of how strongly the customer's products go with it
    memory  weights of the decayed own counts and of that company, chosen by the state, and a repeat bias
            per product (the copy mechanism: what a customer bought, and how long ago, is most of the answer)
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self.linear = shape.backbone == "mf"
        self.ask = nn.Linear(2 * width + QUERY_NUMBERS, width)
        self.taste = nn.Linear(width, width)
        self.bias = nn.Embedding(shape.products + 1, 1)
        self.trend = _begin_at(nn.Linear(width, trends.FEATURES), TREND)
        self.company = _begin_at(nn.Linear(width, 1), COMPANY)
        self.memory = _begin_at(nn.Linear(width, repeats.FEATURES + 1), MEMORY)
        self.repeat_bias = nn.Embedding(shape.products + 1, 1)
        self.repeat_base = _begin_at(nn.Linear(width, 1), REPEAT)
        self.dropout = nn.Dropout(shape.dropout)
        for weight in (self.bias.weight, self.repeat_bias.weight, self.taste.weight, self.taste.bias):
            nn.init.zeros_(weight)

    def forward(self, state: Tensor, batch: Batch, products: Tensor, row: Tensor, inputs: Inputs) -> Tensor:
        """-> (Q, P)"""
        owned = self._owned(products, len(state), inputs)
        asked = self.ask(torch.cat([state, owned, batch.query_numbers], dim=1))  # (Q, D)
        if not self.linear:
            asked = F.gelu(asked)
        asked = self.dropout(asked)
        logits = self.taste(asked) @ products.T + self.bias(row).squeeze(1)  # (Q, P)
        logits = logits + self._trends(asked, inputs, len(row))
        logits = logits + self.company(asked) * inputs["company"][:, : len(row)]
        return self._remember(logits, asked, row, inputs)

    def _owned(self, products: Tensor, queries: int, inputs: Inputs) -> Tensor:
        """Mean vector of all the customer ever bought, recent purchases weighing more. -> (Q, D)"""
        query = inputs["own_query"]  # (R,) sorted
        weight = inputs["own_features"][:, OWNED]  # (R,)
        total = torch.zeros(queries, device=weight.device).index_add(0, query, weight)
        start = torch.searchsorted(query, torch.arange(queries, device=query.device))
        share = (weight / total[query]).to(products.dtype)
        owned = F.embedding_bag(inputs["own_product"], products, start, mode="sum", per_sample_weights=share)
        return owned * 8

    def _trends(self, asked: Tensor, inputs: Inputs, size: int) -> Tensor:
        """Day by day, as queries share few days: that is a third of the traffic of a gather. -> (Q, P)"""
        found = inputs["trends"][:, :size]  # (days, P, 3)
        day = inputs["trend_row"]  # (Q,)
        order = torch.argsort(day, stable=True)
        counts = torch.bincount(day, minlength=len(found)).tolist()
        weight = self.trend(asked)[order].split(counts)  # days x (q, 3)
        pieces = [part @ found[index].T for index, part in enumerate(weight)]  # days x (q, P)
        return torch.cat(pieces)[torch.argsort(order)]

    def _remember(self, logits: Tensor, asked: Tensor, row: Tensor, inputs: Inputs) -> Tensor:
        query, product = inputs["own_query"], inputs["own_product"]  # (R,), (R,)
        company = inputs["company"][query, product]  # (R,)
        features = torch.cat([inputs["own_features"], company[:, None]], dim=1)
        bonus = (self.memory(asked)[query] * features).sum(1)  # (R,)
        bonus = bonus + self.repeat_base(asked)[query, 0] + self.repeat_bias(row[product])[:, 0]
        flat = logits.reshape(-1).index_add(0, query * logits.shape[1] + product, bonus)  # (Q * P,)
        return flat.view_as(logits)


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


def set_loss(logits: Tensor, query: Tensor, product: Tensor, weight: Tensor | None = None) -> Tensor:
    """Softmax cross-entropy against a set: the mean over queries of the mean over each one's products.

    logits (Q, P); query and product (R,) are the pairs of the sets, no query without one. `weight` (R,)
    makes the mean over a query's products a weighted one.
    """
    log_norm = torch.logsumexp(logits, dim=1)  # (Q,)
    chosen = logits[query, product] - log_norm[query]  # (R,)
    if weight is not None:
        total = torch.zeros(len(logits), device=weight.device).index_add(0, query, weight)  # (Q,)
        return -(chosen * weight / total[query]).sum() / len(logits)
    size = torch.bincount(query, minlength=len(logits)).clamp(min=1)
    return -(chosen / size[query]).sum() / len(logits)


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
