"""Everybody's history, read shard by shard, for what is worked out of it once for all customers.

Only a shard's rows are held as rows; what stays is 8 bytes for each number of a visit or line that the
market asks for, 4 for what a line was of and cost. Kinds and sums of visits stay behind: nothing that is
said of everybody needs them.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from neural.data.history import Floats, Floats32, History, Ints, expand


def slim(history: History) -> History:
    """The same visits and lines without the visits' kinds, quantities and amounts."""
    visits = len(history.visit_time)
    return History(
        customers=history.customers,
        visit_customer=history.visit_customer,
        visit_time=history.visit_time,
        visit_kind=np.broadcast_to(np.int64(0), visits),
        visit_outcome=history.visit_outcome,
        visit_quantity=np.broadcast_to(np.float64(0), visits),
        visit_amount=np.broadcast_to(np.float64(0), visits),
        line_visit=history.line_visit,
        line_product=history.line_product,
        line_quantity=history.line_quantity,
        line_amount=history.line_amount,
    )


def join(parts: Sequence[History]) -> History:
    """Slim histories of different customers as one, in the order in which they would be read at once."""
    names = pl.Series("customer", [name for part in parts for name in part.customers], pl.String)
    order = names.arg_sort().to_numpy().astype(np.int64)  # (N,) rows of the parts' customers end to end
    first, last = _ranges([part.visit_start for part in parts])
    customer, visit = expand(first[order], last[order])
    first, last = _ranges([part.line_start for part in parts])
    line_visit, line = expand(first[visit], last[visit])
    time: Floats = np.concatenate([np.zeros(0), *(part.visit_time for part in parts)])
    outcome = np.concatenate([np.zeros(0, bool), *(part.visit_outcome for part in parts)])
    product: Ints = np.concatenate([np.zeros(0, np.int64), *(part.line_product for part in parts)])
    none = np.zeros(0, np.float32)
    quantity: Floats32 = np.concatenate([none, *(part.line_quantity for part in parts)])
    amount: Floats32 = np.concatenate([none, *(part.line_amount for part in parts)])
    nothing = np.broadcast_to(np.float64(0), len(visit))
    return History(
        customers=names.gather(order).to_list(),
        visit_customer=customer,
        visit_time=time[visit],
        visit_kind=np.broadcast_to(np.int64(0), len(visit)),
        visit_outcome=outcome[visit],
        visit_quantity=nothing,
        visit_amount=nothing,
        line_visit=line_visit,
        line_product=product[line],
        line_quantity=quantity[line],
        line_amount=amount[line],
    )


def _ranges(starts: Sequence[Ints]) -> tuple[Ints, Ints]:
    """Where each item begins and ends once the parts lie end to end; each part says (n + 1,) starts of n."""
    before = np.cumsum([0, *(start[-1] for start in starts)])
    first = [start[:-1] + ahead for start, ahead in zip(starts, before[:-1], strict=True)]
    last = [start[1:] + ahead for start, ahead in zip(starts, before[:-1], strict=True)]
    none = np.zeros(0, np.int64)
    return np.concatenate([none, *first]), np.concatenate([none, *last])
