"""Filling the built-in CRM tables with a simulated shop, all or nothing, in bounded memory."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from crm_data.models import Customer, Interaction, MarketIndicator, Product
from crm_demo.services.loading import load, reset_sequences
from crm_demo.simulator import Chunk, Shop, ShopSpec
from crm_demo.simulator.catalogue import CATEGORY_NAMES
from handoff.files import publish_folder, write_json

CURRENCY = "GBP"


class ShopNotEmpty(Exception):
    """The CRM's tables hold rows that are not the simulator's to touch."""


@dataclass(frozen=True)
class Filled:
    """How many rows were written."""

    customers: int
    products: int
    interactions: int
    indicators: int


def fill(
    spec: ShopSpec,
    *,
    owners: Sequence[AbstractBaseUser],
    truth_folder: Path,
    on_progress: Callable[[int, int], None] | None = None,
) -> Filled:
    """Simulate a shop into the empty built-in tables and write its ground truth to `truth_folder`.

    Customers are dealt out to `owners` in turn. Raises ShopNotEmpty when there are rows already.
    """
    refuse_unless_empty()
    shop = Shop(spec)
    draft = truth_folder.with_name(f".{truth_folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    with transaction.atomic():
        filled = _write(shop, owners, draft, on_progress)
    write_json(draft / "shop.json", _description(spec, filled))
    publish_folder(draft, truth_folder)
    return filled


def refuse_unless_empty() -> None:
    """Raise ShopNotEmpty, naming what is there, unless the CRM's tables are empty."""
    for model in (Customer, Product, MarketIndicator):
        first = model._default_manager.first()
        if first is not None:
            raise ShopNotEmpty(
                f"The table of {model._meta.verbose_name_plural} is not empty (it holds {first}, for one). "
                "Name an empty database in DATABASE_URL, or an empty folder in CRM_VAR."
            )


def _write(
    shop: Shop,
    owners: Sequence[AbstractBaseUser],
    truth_folder: Path,
    on_progress: Callable[[int, int], None] | None,
) -> Filled:
    products, indicators = shop.products(), shop.indicators()
    load(Product, _numbered(products).with_columns(attributes=pl.lit("{}")))
    load(MarketIndicator, _numbered(indicators))
    customers = events = 0
    for number, chunk in enumerate(shop.chunks()):
        _write_chunk(chunk, owners, customers, events)
        chunk.truth.write_parquet(truth_folder / f"part-{number:04d}.parquet")
        customers += chunk.customers.height
        events += chunk.interactions.height
        if on_progress is not None:
            on_progress(customers, shop.spec.customers)
    reset_sequences(Product, MarketIndicator, Customer, Interaction)
    return Filled(customers, products.height, events, indicators.height)


def _write_chunk(chunk: Chunk, owners: Sequence[AbstractBaseUser], customers: int, events: int) -> None:
    """Insert a chunk. The tables began empty, so a row's number is the simulator's plus one."""
    owner_keys = [owner.pk for owner in owners] or [None]
    turn = pl.Series(
        [owner_keys[(customers + row) % len(owner_keys)] for row in range(chunk.customers.height)]
    )
    load(Customer, _numbered(chunk.customers, customers).with_columns(owner_id=turn))
    rows = chunk.interactions.select(
        _key("customer").alias("customer_id"),
        _key("product").alias("product_id"),
        "kind",
        "at",
        "quantity",
        pl.col("amount").cast(pl.Decimal(14, 2)),
        pl.when(pl.col("amount").is_null()).then(pl.lit("")).otherwise(pl.lit(CURRENCY)).alias("currency"),
        pl.col("basket", "channel", "text").fill_null(""),
        pl.lit(timezone.now()).alias("changed_at"),
    )
    load(Interaction, _numbered(rows, events))


def _numbered(frame: pl.DataFrame, before: int = 0) -> pl.DataFrame:
    return frame.with_row_index("id", offset=before + 1)


def _description(spec: ShopSpec, filled: Filled) -> dict[str, object]:
    asked = {**asdict(spec), "until": spec.until.isoformat()}
    return {"spec": asked, "rows": asdict(filled), "categories": CATEGORY_NAMES}


def _key(code: str) -> pl.Expr:
    """Return the primary key of a customer or product code such as C0000041 → 42."""
    return pl.col(code).str.slice(1).cast(pl.Int64) + 1
