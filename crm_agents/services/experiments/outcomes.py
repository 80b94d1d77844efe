"""What the customers of an experiment did before and after its start: one number each, in arrays."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from crm_agents.arms import second_arm
from crm_agents.models import Experiment, ExperimentKind
from crm_agents.services.experiments.enrolling import enrolled_parts
from crm_agents.services.experiments.uplift import Floats, Mask
from crm_data.purchases import SOLD, VisitSum, bought_pairs, visit_sums
from crm_data.suppression import Suppressed

AT_ONCE = 2_000  # customers of a query


@dataclass(frozen=True)
class Outcomes:
    """N customers. `second` marks the second arm; the others are what each did, before the start and after.

    `hits` is 1 for whoever bought a product of the list of the start; None where the agent makes no lists.
    """

    second: Mask
    after: dict[str, Floats]  # "bought" (0 or 1), "orders", "revenue"
    before: dict[str, Floats]  # the same of as many days before the start
    hits: Floats | None
    left_out: int  # of those who took part: erased or opted out since, or in another control group


def collect(experiment: Experiment, *, until: dt.datetime) -> Outcomes:
    """Read what everybody did up to `until`. Memory: some thousand customers, and eight numbers of each."""
    gone = Suppressed(experiment.agent.tenant)
    others = _other_control_groups(experiment)
    parts, left_out = [], 0
    for frame in enrolled_parts(experiment):
        for chunk in frame.iter_slices(AT_ONCE):
            kept = _remaining(chunk, gone, others)
            left_out += len(chunk) - len(kept)
            parts.append(_done(experiment, kept, until))
    lists = any(part[2] for part in parts)
    numbers = np.concatenate([part[1] for part in parts]) if parts else np.zeros((0, 7))
    second = np.concatenate([part[0] for part in parts]) if parts else np.zeros(0, np.bool_)
    names = ("bought", "orders", "revenue")
    return Outcomes(
        second,
        {name: numbers[:, place] for place, name in enumerate(names)},
        {name: numbers[:, 3 + place] for place, name in enumerate(names)},
        numbers[:, 6] if lists else None,
        left_out,
    )


def _other_control_groups(experiment: Experiment) -> list[Experiment]:
    """Return the control groups of the agent that went on at the same time: they saw neither version."""
    if experiment.kind != ExperimentKind.AB:
        return []
    mine = Experiment.objects.filter(agent=experiment.agent_id, kind=ExperimentKind.CONTROL)
    until = experiment.ended_at or experiment.started_at + dt.timedelta(days=experiment.horizon_days)
    overlapping = mine.filter(started_at__lt=until).exclude(ended_at__lte=experiment.started_at)
    return list(overlapping.select_related("agent"))


def _remaining(frame: pl.DataFrame, gone: Suppressed, others: Sequence[Experiment]) -> pl.DataFrame:
    customers = frame["customer"].to_list()
    out = gone.among(customers)
    for other in others:
        drawn = second_arm(other, customers)
        out |= {customer for customer, there in zip(customers, drawn, strict=True) if there}
    return frame.filter(~pl.col("customer").is_in(sorted(out))) if out else frame


def _done(experiment: Experiment, frame: pl.DataFrame, until: dt.datetime) -> tuple[Mask, Floats, bool]:
    """Return the arms (N,), seven numbers of each customer (N, 7), and whether there are lists."""
    customers, tenant = frame["customer"].to_list(), experiment.agent.tenant
    place = {customer: number for number, customer in enumerate(customers)}
    start = experiment.started_at
    since = start - dt.timedelta(days=experiment.horizon_days)
    numbers = np.zeros((len(customers), 7))
    orders: set[tuple[str, bool, object]] = set()
    for visit in visit_sums(customers, since=since, upto=until, tenant=tenant):
        row, late = numbers[place[visit.customer]], visit.at > start
        column = 0 if late else 3
        row[column + 2] += visit.amount if visit.kind == SOLD else -visit.amount
        order = (visit.customer, late, _order(visit))
        if visit.kind == SOLD and order not in orders:
            orders.add(order)
            row[column] = 1
            row[column + 1] += 1
    lists = dict(zip(customers, frame["items"].to_list(), strict=True))
    listed = {(customer, product) for customer, products in lists.items() for product in products or ()}
    if listed:
        for customer, _product in listed & bought_pairs(customers, since=start, upto=until, tenant=tenant):
            numbers[place[customer], 6] = 1
    return np.array(second_arm(experiment, customers), np.bool_), numbers, bool(listed)


def _order(visit: VisitSum) -> object:
    """What makes one order: the basket, or the moment where the CRM keeps none."""
    return visit.basket or visit.at
