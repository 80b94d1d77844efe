"""Customers without a history: what they put into their first order, foretold from their attributes alone.

    python -m benchmarks.cold_start [--cutoffs 2011-09-09 …] [--development] [--shop-customers 6000]

Everyone whose first purchase lies in the 28 days after a cut-off; full ranking of what was sold before it.
On Online Retail II the only attribute is the country; the simulated shop has segment, country, language and
newsletter, of which the segment tells most. What is offered was chosen on the cut-offs of --development.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.fine_tuning import DATA, retail_dataset
from benchmarks.report import report
from crm_demo.simulator import Shop, ShopSpec
from handoff.building import build_dataset
from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.resampling import interval
from neural.data.history import Floats, Ints
from neural.data.world import World, training_world
from neural.evaluation.ranking import Truth, query_metrics, top_lists
from neural.reasons.market import Market
from neural.reasons.recommendations import newcomers
from neural.windows import parse_time, to_days

CUTOFFS = ("2011-09-09", "2011-10-07", "2011-11-04")
DEVELOPMENT = (
    *("2010-09-10", "2010-10-08", "2010-11-05", "2011-02-11", "2011-03-11"),
    *("2011-04-08", "2011-05-06", "2011-06-03", "2011-07-01", "2011-07-16"),
)
HORIZON = 28.0
FIGURES = ("ndcg@10", "recall@20")
RESAMPLES = 1_000
SHOP_END = datetime(2025, 6, 30, tzinfo=UTC)


def measure(folder: Path, cutoffs: Sequence[str], data: str) -> None:
    """Print each method's figures over the newcomers of all cut-offs, and how far it leads popularity."""
    parts = [_answers(Dataset.open(folder), cutoff) for cutoff in cutoffs]
    values = {
        method: {name: np.concatenate([part[method][name] for part in parts]) for name in FIGURES}
        for method in parts[0]
    }
    common = values.pop("common")["ndcg@10"] > 0
    for group, chosen in (("all", np.ones(len(common), bool)), ("with a rarer attribute", ~common)):
        for method, figures in values.items():
            for name in FIGURES:
                mine, plain = figures[name][chosen], values["popularity"][name][chosen]
                report(
                    figure=f"newcomers {name}",
                    value=float(mine.mean()) if len(mine) else None,
                    unit="mean over customers",
                    data=data,
                    method=method,
                    group=group,
                    customers=len(mine),
                    cutoffs=list(cutoffs),
                    lead=_bounds(mine - plain),
                )


def _answers(dataset: Dataset, cutoff: str) -> dict[str, dict[str, Floats]]:
    """Each newcomer's figures by method, and whether its attributes are common ones."""
    moment = to_days(parse_time(f"{cutoff}T00:00:00+00:00"))
    raw = {"agent": "recommender", "task": "next_product", "dataset": str(dataset.folder)}
    config = TrainingConfig.from_mapping({**raw, "horizon_days": int(HORIZON), "top_k": 20})
    world = training_world(config, dataset, train_end=moment, cuts=(moment, moment + HORIZON))
    market = Market.of(world, moment)
    people, truth = _first_orders(world, moment)
    names = [world.history.customers[number] for number in people]
    number = {name: index for index, name in enumerate(world.vocabulary.products)}
    ours = np.full((len(people), 20), -1, np.int64)
    for row, (_, (_, payload)) in enumerate(newcomers(world, market, names, {})):
        items = json.loads(payload)["items"]
        ours[row, : len(items)] = [number[item["product"]] for item in items]
    plain, first = (
        np.tile(top_lists(np.where(scores > 0, scores, -np.inf)[None, :]), (len(people), 1))
        for scores in (market.buyers.astype(float), market.buyers * market.first_orders.ratio)
    )
    lists = {"popularity": plain, "with first orders": first, "and attributes (ours)": ours}
    found = {method: query_metrics(each, truth) for method, each in lists.items()}
    return {**found, "common": dict.fromkeys(FIGURES, _common(world, names))}


def _first_orders(world: World, moment: float) -> tuple[Ints, Truth]:
    """Customers who buy for the first time within the horizon, and what is in that first order."""
    history = world.history
    visits = history.outcomes
    customer, place = np.unique(history.visit_customer[visits], return_index=True)
    first = visits[place]
    chosen = (history.visit_time[first] >= moment) & (history.visit_time[first] < moment + HORIZON)
    row = np.full(len(history.visit_time), -1, np.int64)
    row[first[chosen]] = np.arange(chosen.sum())
    lines = row[history.line_visit] >= 0
    query, product = row[history.line_visit[lines]], history.line_product[lines]
    return customer[chosen], Truth.of(query, product, int(chosen.sum()), len(world.vocabulary.products))


def _common(world: World, names: list[str]) -> Floats:
    """1 for those all of whose values a third of the customers share."""
    members = np.bincount(world.traits.table[world.traits.table >= 0], minlength=len(world.traits.words))
    worn = world.traits.of(names)
    shared = (worn < 0) | (members[worn] >= len(world.traits.customers) / 3)
    return shared.all(axis=1).astype(np.float64)


def _bounds(lead: Floats) -> dict[str, float | None]:
    if not len(lead):
        return {"value": None, "low": None, "high": None}
    rng = np.random.default_rng(0)
    drawn = lead[rng.integers(0, len(lead), (RESAMPLES, len(lead)))].mean(axis=1)
    found = vars(interval(float(lead.mean()), drawn))
    return {name: None if value is None else round(value, 5) for name, value in found.items()}


def simulated(folder: Path, customers: int, seed: int) -> Path:
    """Write a shop of the simulator as a dataset."""
    shop = Shop(ShopSpec(customers=customers, seed=seed, until=SHOP_END, days=730))
    chunks = list(shop.chunks())
    people = pl.concat([chunk.customers for chunk in chunks])
    attributes = [
        json.dumps({"country": country, **json.loads(text)})
        for country, text in people.select("country", "attributes").iter_rows()
    ]
    build_dataset(
        folder,
        pl.concat([chunk.interactions for chunk in chunks]),
        customers=people.select(pl.col("code").alias("customer"), pl.Series("attributes", attributes)),
        products=shop.products().rename({"code": "product"}),
    )
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cutoffs", nargs="+", default=list(CUTOFFS), help="ISO dates")
    parser.add_argument("--development", action="store_true", help="the cut-offs that settings are chosen on")
    parser.add_argument("--shop-customers", type=int, default=6_000)
    parser.add_argument("--seed", type=int, default=3)
    arguments = parser.parse_args()
    with retail_dataset() as dataset:
        measure(dataset, DEVELOPMENT if arguments.development else arguments.cutoffs, DATA)
    with tempfile.TemporaryDirectory() as folder:
        shop = simulated(Path(folder) / "shop", arguments.shop_customers, arguments.seed)
        months = [(SHOP_END - timedelta(days=28 * back)).date().isoformat() for back in range(12, 0, -1)]
        measure(shop, months, f"simulated shop, {arguments.shop_customers} customers, seed {arguments.seed}")


if __name__ == "__main__":
    main()
