"""What nobody in the shop can know, so that an agent can be held against it. One row a customer:

customer           the shop's number
phase              loyal, slowing, left, or not_yet (joins in the future)
hazard             daily chance of beginning to leave, at the end of the history
order_rate         orders a day, staples apart
slowing_from       null while loyal, and for those who leave at once
left_at            null while loyal; may lie in the future
tastes             one number a factor
category_odds      share of each category among free choices, in the catalogue's order
staples            products bought again and again, and in
staple_cycles      the days between
purchases_next_90  orders in the 90 days after the end: the outcome itself
"""

from datetime import timedelta

import numpy as np
import polars as pl

from crm_demo.simulator.catalogue import CATEGORIES, Ints
from crm_demo.simulator.codes import customer_code, product_code
from crm_demo.simulator.life import NEVER, Life
from crm_demo.simulator.population import Population
from crm_demo.simulator.spec import FUTURE_DAYS, ShopSpec
from crm_demo.simulator.words import TIERS


def truth(spec: ShopSpec, people: Population, life: Life, events: pl.DataFrame) -> pl.DataFrame:
    """Return the ground truth of one chunk, as described above."""
    odds = people.leaf_odds.reshape(len(people), len(CATEGORIES), len(TIERS)).sum(axis=2)
    frame = pl.DataFrame(
        {
            "number": people.first + np.arange(len(people)),
            "phase": _phase(spec, people, life),
            "hazard": life.leaving.hazard(people, spec.days - 1),
            "order_rate": people.order_rate,
            "slowing_from": _days(life.leaving.slowing_from),
            "left_at": _days(life.leaving.left),
            "tastes": pl.Series(list(people.taste), dtype=pl.List(pl.Float64)),
            "category_odds": pl.Series(list(odds), dtype=pl.List(pl.Float64)),
        }
    )
    frame = frame.with_columns(
        customer_code(pl.col("number")).alias("customer"),
        slowing_from=pl.lit(spec.first_day) + pl.duration(days=pl.col("slowing_from")),
        left_at=pl.lit(spec.first_day) + pl.duration(days=pl.col("left_at")),
    )
    return (
        frame.join(_staples(people), on="number", how="left", maintain_order="left")
        .join(_future(spec, events), on="customer", how="left", maintain_order="left")
        .with_columns(pl.col("purchases_next_90").fill_null(0))
        .select("customer", pl.exclude("customer", "number"))
    )


def _phase(spec: ShopSpec, people: Population, life: Life) -> list[str]:
    today = spec.days - 1
    leaving = life.leaving
    cases = [people.joined > today, leaving.left <= today, leaving.slowing_from <= today]
    return [str(phase) for phase in np.select(cases, ["not_yet", "left", "slowing"], "loyal")]


def _days(days: Ints) -> pl.Series:
    return pl.Series(days).replace(NEVER, None)


def _staples(people: Population) -> pl.DataFrame:
    """The staples as they stand when the simulation ends, `FUTURE_DAYS` after the history does."""
    row, slot = np.nonzero(people.staples >= 0)
    frame = pl.DataFrame(
        {
            "number": people.first + row,
            "staples": people.staples[row, slot],
            "staple_cycles": np.round(people.cycle[row, slot], 1),
        }
    )
    return frame.group_by("number", maintain_order=True).agg(product_code(pl.col("staples")), "staple_cycles")


def _future(spec: ShopSpec, events: pl.DataFrame) -> pl.DataFrame:
    later = pl.col("at").is_between(spec.until, spec.until + timedelta(days=FUTURE_DAYS), closed="right")
    bought = events.filter((pl.col("kind") == "purchase") & later)
    return bought.group_by("customer").agg(pl.col("basket").n_unique().alias("purchases_next_90"))
