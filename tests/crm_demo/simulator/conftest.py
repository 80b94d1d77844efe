from datetime import UTC, datetime

import polars as pl
import pytest

from crm_demo.simulator import Shop, ShopSpec

UNTIL = datetime(2026, 11, 20, 15, tzinfo=UTC)


@pytest.fixture(scope="package")
def spec() -> ShopSpec:
    return ShopSpec(customers=900, seed=7, until=UNTIL)


@pytest.fixture(scope="package")
def shop(spec: ShopSpec) -> Shop:
    return Shop(spec)


@pytest.fixture(scope="package")
def events(shop: Shop) -> pl.DataFrame:
    return pl.concat(chunk.interactions for chunk in shop.chunks())


@pytest.fixture(scope="package")
def people(shop: Shop) -> pl.DataFrame:
    return pl.concat(chunk.customers for chunk in shop.chunks())


@pytest.fixture(scope="package")
def truth(shop: Shop) -> pl.DataFrame:
    return pl.concat(chunk.truth for chunk in shop.chunks())
