"""The population that a model was tested on, and the same counted at each scoring."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import HandoffError
from handoff.files import read_json
from handoff.profiles import (
    Bins,
    Profile,
    Reference,
    drifts,
    profile_path,
    psi,
    psi_by_chance,
    sum_profiles,
)
from neural.scoring import score
from neural.training import train
from tests.neural.shop import CHURN, NEXT_PRODUCT, SHARDS, SMALL, START, shop_rows, write_dataset

BASES = {"churn": CHURN, "next_product": NEXT_PRODUCT}


def test_numbers_fall_into_deciles_and_what_is_missing_apart() -> None:
    bins = Bins.of_numbers(np.arange(1.0, 101.0))
    assert len(bins.edges) == 9
    assert bins.count_numbers(np.arange(1.0, 101.0)) == [0, *[10] * 10]
    assert bins.count_numbers(np.array([np.nan, -5.0, 1000.0, np.inf])) == [2, 1, *[0] * 8, 1]


def test_a_constant_has_a_bin_of_its_own_and_zeros_are_no_edge_below_all() -> None:
    constant = Bins.of_numbers(np.full(7, 3.0))
    assert constant.count_numbers(np.array([3.0, 2.9, 3.1, 3.0])) == [0, 1, 2, 1]
    mostly_zero = Bins.of_numbers(np.array([0.0] * 80 + [1.0] * 10 + [2.0] * 10))
    assert mostly_zero.count_numbers(np.array([0.0, 0.0, 1.0, 2.0, 5.0]))[:2] == [0, 2]
    assert Bins.of_numbers(np.full(3, np.nan)).count_numbers(np.array([np.nan, 1.0])) == [1, 1]


def test_words_have_bins_by_frequency_and_the_others_share_one() -> None:
    bins = Bins.of_words([*["DE"] * 9, *["FR"] * 5, *["Ms Miller"] * 4, None])
    assert bins.words == ("DE", "FR")
    assert bins.count_words(["FR", "FR", "AT", None]) == [1, 0, 2, 1]
    assert Bins.of(json.loads(json.dumps(bins.as_json()))) == bins


def test_the_index_is_that_of_the_book_but_for_the_smoothing() -> None:
    expected, actual = [1000, 2000, 7000], [2000, 2000, 6000]
    shares = zip((0.1, 0.2, 0.7), (0.2, 0.2, 0.6), strict=True)
    book = sum((a - e) * np.log(a / e) for e, a in shares)
    assert psi(expected, actual) == pytest.approx(book, rel=1e-3)
    assert psi(expected, expected) == 0
    assert psi([0, 5, 5], [0, 50, 50]) == pytest.approx(0, abs=1e-12)
    assert psi([0, 0], [1, 1]) is None
    assert np.isfinite(psi([10, 0], [0, 10]) or np.nan)
    with pytest.raises(HandoffError, match="3 bins cannot be compared with 2"):
        psi([1, 1, 1], [1, 1])


def test_chance_alone_gives_the_index_that_is_said_of_it() -> None:
    rng = np.random.default_rng(5)
    found = [
        psi(*(rng.multinomial(size, [0.1] * 10).tolist() for size in (400, 300))) or 0.0 for _ in range(400)
    ]
    assert np.mean(found) == pytest.approx(psi_by_chance([40] * 10, [30] * 10), rel=0.1)


def test_profiles_of_other_bins_are_not_added() -> None:
    one = Profile("2026-01-01", 2, {"a": [1, 1]}, [2])
    assert sum_profiles([one, one]) == Profile("2026-01-01", 4, {"a": [2, 2]}, [4])
    for other in (Profile("2026-01-01", 1, {"b": [1, 1]}, [1]), Profile("2026-01-01", 1, {"a": [1]}, [1])):
        with pytest.raises(HandoffError, match="different"):
            sum_profiles([one, other])
    with pytest.raises(HandoffError, match="no profile"):
        sum_profiles([])


@pytest.fixture(scope="module", params=sorted(BASES))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset]:
    folder = tmp_path_factory.mktemp(request.param)
    dataset = write_dataset(folder / "data", shop_rows())
    base = {"dataset": str(dataset.folder), **SMALL, **BASES[request.param]}
    TrainingConfig.from_mapping(base).write(folder / "run")
    assert train(folder / "run").status == "succeeded"
    return folder / "run" / "artifact", dataset


def profile(artifact: Path, dataset: Dataset, out: Path, as_of: str) -> Profile:
    parts = []
    for shard in range(SHARDS):
        file = out / f"{shard}.parquet"
        score(artifact, dataset.folder, root=artifact.parent, shard=shard, as_of=as_of, out=file)
        parts.append(Profile.read(profile_path(file)))
    return sum_profiles(parts)


def test_scoring_what_was_tested_counts_what_the_reference_counts(
    trained: tuple[Path, Dataset], tmp_path: Path
) -> None:
    artifact, dataset = trained
    reference = Reference.read(artifact)
    assert reference is not None
    found = profile(artifact, dataset, tmp_path, reference.at)
    assert found.customers == reference.customers > 50
    assert {name: counted.counts for name, counted in reference.features.items()} == found.features
    assert found.scores == reference.scores.counts
    known, scores = drifts(reference, found)
    assert {one.psi for one in known} == {0.0}
    assert scores is not None
    assert scores.psi == 0
    task = read_json(artifact / "config.json")["task"]
    expected = {
        "kind_purchase",
        "visit_amount",
        "visit_gap",
        "attribute_area",
        "attribute_size",
        "days_since",
    }
    assert expected < set(reference.features)
    assert ("table_spend" in reference.features) == (task == "churn")
    assert not {"table_history_days", "table_tenure"} & set(reference.features)  # they drift by themselves
    assert "reference.json" in read_json(artifact / "manifest.json")["files"]


def test_prices_that_rise_tenfold_drift_and_areas_do_not(
    trained: tuple[Path, Dataset], tmp_path: Path
) -> None:
    artifact, _ = trained
    dear = [
        {**row, "amount": row["amount"] * (10 if row["at"] > START + timedelta(days=300) else 1)}
        for row in shop_rows()
    ]
    dataset = write_dataset(tmp_path / "data", dear)
    reference = Reference.read(artifact)
    assert reference is not None
    known, _ = drifts(reference, profile(artifact, dataset, tmp_path, reference.at))
    by_name = {one.name: one for one in known}
    assert known[0].name in ("visit_amount", "table_spend_90", "table_spend_30")
    assert by_name["visit_amount"].psi > 1
    assert by_name["attribute_area"].psi == 0
    assert by_name["visit_gap"].psi == 0


def test_an_attribute_that_is_gone_is_missing(trained: tuple[Path, Dataset], tmp_path: Path) -> None:
    artifact, dataset = trained
    copy = tmp_path / "data"
    bare = write_dataset(copy, shop_rows())
    customers = bare.customers().collect().with_columns(attributes=pl.lit("{}"))
    customers.write_parquet(copy / "customers.parquet")
    reference = Reference.read(artifact)
    assert reference is not None
    found = profile(artifact, bare, tmp_path, reference.at)
    assert found.features["attribute_area"] == [found.customers, 0, 0, 0]
    assert found.features["attribute_size"][0] == found.customers
