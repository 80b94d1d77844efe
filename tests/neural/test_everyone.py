"""Everybody read shard by shard is everybody read at once, as far as the market asks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from handoff.config import TrainingConfig
from neural.data.attributes import NumberScale
from neural.data.cleaning import Limits
from neural.data.similarity import similar_products
from neural.data.vocabulary import fit_vocabulary
from neural.data.world import World, everyone_world, scoring_world
from neural.windows import to_days
from tests.neural.shop import NEXT_PRODUCT, START, Row, event, shop_rows, write_dataset

DAY = to_days(START)
CUTS = (DAY + 270, DAY + 300)


def both(tmp_path: Path, configure: Callable[..., TrainingConfig], rows: list[Row]) -> tuple[World, World]:
    dataset = write_dataset(tmp_path / "data", rows)
    vocabulary = fit_vocabulary(dataset, end=CUTS[0])
    scale, config = NumberScale({}, {}), configure(NEXT_PRODUCT, dataset=str(dataset.folder))
    return (
        scoring_world(config, dataset, vocabulary, scale, Limits(), cuts=CUTS),
        everyone_world(config, dataset, vocabulary, scale, Limits(), cuts=CUTS),
    )


def test_shard_by_shard_nothing_that_the_market_asks_for_differs(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    whole, joined = both(tmp_path, configure, shop_rows())
    assert joined.history.customers == whole.history.customers
    for name in ("visit_customer", "visit_time", "visit_outcome", "line_visit", "line_product"):
        assert np.array_equal(getattr(joined.history, name), getattr(whole.history, name)), name
    assert whole.history.visit_amount.any()
    assert not joined.history.visit_amount.any()
    assert joined.history.visit_amount.strides == (0,)  # no memory
    similar = [similar_products(world, CUTS[1]) for world in (whole, joined)]
    assert np.array_equal(similar[0].data, similar[1].data)
    assert joined.start == whole.start
    assert joined.traits.words == whole.traits.words


def test_nobody_at_all_is_no_error(tmp_path: Path, configure: Callable[..., TrainingConfig]) -> None:
    for number, rows in enumerate([[], [event("c1", 5, None, kind="complaint")]]):
        whole, joined = both(tmp_path / str(number), configure, rows)
        assert joined.history.customers == whole.history.customers
        assert joined.history.line_product.tolist() == []
