import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from django.contrib.auth.models import User

from crm_data.models import Customer, Interaction, MarketIndicator, Product
from crm_demo.services import filling
from crm_demo.services.filling import Filled, ShopNotEmpty, fill
from crm_demo.simulator import Shop, ShopSpec

SPEC = ShopSpec(customers=60, seed=5, until=datetime(2026, 11, 20, 15, tzinfo=UTC))


@pytest.mark.django_db
def test_the_tables_hold_what_was_simulated(tmp_path: Path, rep: User, other_rep: User) -> None:
    steps: list[tuple[int, int]] = []
    filled = fill(
        SPEC,
        owners=[rep, other_rep],
        truth_folder=tmp_path / "truth",
        on_progress=lambda done, of: steps.append((done, of)),
    )
    chunk = next(Shop(SPEC).chunks())
    assert filled == Filled(60, 240, chunk.interactions.height, MarketIndicator.objects.count())
    assert steps == [(60, 60)]
    assert Customer.objects.filter(owner=rep).count() == 30
    assert Customer.objects.filter(owner=other_rep).count() == 30
    newest = chunk.interactions.filter(pl.col("kind") == "purchase").row(-1, named=True)
    row = Interaction.objects.filter(kind="purchase").select_related("customer", "product").latest("id")
    assert row.product is not None
    assert (row.customer.code, row.product.code) == (newest["customer"], newest["product"])
    assert (row.at, row.basket, row.currency) == (newest["at"], newest["basket"], "GBP")
    assert float(row.amount or 0) == newest["amount"]
    person = Customer.objects.get(code="C0000000")
    assert person.attributes == json.loads(chunk.customers["attributes"][0])


@pytest.mark.django_db
def test_the_truth_lies_beside_in_parquet(tmp_path: Path) -> None:
    fill(SPEC, owners=[], truth_folder=tmp_path / "truth")
    shop = json.loads((tmp_path / "truth" / "shop.json").read_text())
    truth = pl.read_parquet(tmp_path / "truth" / "part-*.parquet")
    assert shop["spec"]["seed"] == 5
    assert shop["spec"]["until"] == "2026-11-20T15:00:00+00:00"
    assert truth["customer"].to_list() == list(
        Customer.objects.order_by("code").values_list("code", flat=True)
    )
    assert len(shop["categories"]) == len(truth["category_odds"][0])


@pytest.mark.django_db
def test_new_rows_are_numbered_after_the_simulated_ones(tmp_path: Path) -> None:
    fill(SPEC, owners=[], truth_folder=tmp_path / "truth")
    assert Customer.objects.create(code="new", name="New").pk == 61


@pytest.mark.django_db
def test_tables_with_rows_are_left_alone(tmp_path: Path) -> None:
    Product.objects.create(code="X", name="Somebody's own")
    with pytest.raises(ShopNotEmpty, match="table of products is not empty .it holds Somebody's own"):
        fill(SPEC, owners=[], truth_folder=tmp_path / "truth")
    assert Customer.objects.count() == 0
    assert not (tmp_path / "truth").exists()


@pytest.mark.django_db
def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(filling, "_write_chunk", full_disk)
    with pytest.raises(OSError, match="No space left"):
        fill(SPEC, owners=[], truth_folder=tmp_path / "truth")
    assert Product.objects.count() == 0
    assert MarketIndicator.objects.count() == 0
    assert not (tmp_path / "truth").exists()
