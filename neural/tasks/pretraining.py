"""Self-supervised pretraining: what is in a customer's next visit?"""

import numpy as np
import torch
from torch import Tensor, nn

from neural.data.batches import in_window
from neural.data.history import expand
from neural.data.world import Queries, World
from neural.encoder import Shape
from neural.heads import Inputs, NextVisitHead
from neural.losses import set_loss
from neural.windows import Windows


class NextVisit:
    """Queries at every visit but a customer's first; the target is the visit's set of products."""

    def __init__(self, world: World) -> None:
        self.world = world

    def head(self, shape: Shape) -> nn.Module:
        return NextVisitHead(shape)

    def training_queries(self, windows: Windows, rng: np.random.Generator) -> Queries:
        history = self.world.history
        later = np.flatnonzero(
            (np.arange(len(history.visit_time)) > history.visit_start[history.visit_customer])
            & (history.visit_time < windows.validation)
            & (np.diff(history.line_start) > 0)
        )
        queries = Queries(history.visit_customer[later], history.visit_time[later])
        alone = history.before(queries.customer, queries.time) > history.visit_start[queries.customer]
        return in_window(self.world, queries.take(np.flatnonzero(alone)))

    def inputs(self, queries: Queries) -> Inputs:
        return {}

    def targets(self, queries: Queries, until: float) -> Inputs:
        history = self.world.history
        visit = history.before(queries.customer, queries.time)  # the one at the query's own time
        query, line = expand(history.line_start[visit], history.line_start[visit + 1])
        return {
            "query": torch.from_numpy(query),
            "product": torch.from_numpy(history.line_product[line]),
        }

    def loss(self, answer: Tensor, targets: Inputs) -> Tensor:
        return set_loss(answer, targets["query"], targets["product"])
