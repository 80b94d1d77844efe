"""From a score file to the rows of an agent's score table."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from django.db import connections, router, transaction

from crm_agents.jsonable import storable
from crm_agents.models import ScoreRow, ScoringRun
from crm_agents.recipes import Recipe, get_recipe
from crm_agents.services.copying import insert
from crm_agents.services.leases import Lease
from crm_data.suppression import Suppressed
from handoff.errors import HandoffError
from handoff.scores import SCORES

BATCH = 2_000  # rows a transaction, so that a small database's other writers get their turn


def write_scores(scoring: ScoringRun, path: Path, lease: Lease) -> int:
    """Write the rows of one shard and return how many; an earlier attempt's rows are replaced.

    Whoever opted out or was erased since the snapshot was built gets no row.

    PostgreSQL takes the shard in one COPY, other databases in batches. Readers see nothing of it until
    the scoring is published. Raises HandoffError for a file that is no score file, LeaseLost.
    """
    recipe = get_recipe(scoring.agent.name)
    frame = _without_left_out(_read(path), scoring.agent.tenant)
    database = router.db_for_write(recipe.score_model)
    size = BATCH
    if connections[database].vendor == "postgresql":
        size = max(1, len(frame))
    for part in frame.iter_slices(size):
        rows = list(_rows(recipe, scoring, part))
        with transaction.atomic(using=database):
            lease.write()  # a worker that lost its shard writes nothing
            _clear(recipe.score_model, scoring, part["customer"].to_list())
            insert(recipe.score_model, rows, database)
    return len(frame)


def _read(path: Path) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise HandoffError(f"{path} is not a score file: {error}") from error
    if frame.schema != SCORES:
        raise HandoffError(f"{path} has the columns {dict(frame.schema)}, expected {dict(SCORES)}.")
    wrong = frame.filter(pl.col("score").is_not_null() & ~pl.col("score").is_finite())
    if len(wrong):
        customer = wrong["customer"][0]
        raise HandoffError(f"{path}: the score of customer {customer} is not a finite number.")
    return frame


def _without_left_out(frame: pl.DataFrame, tenant: str) -> pl.DataFrame:
    gone = Suppressed(tenant).among(frame["customer"])
    return frame.filter(~pl.col("customer").is_in(sorted(gone))) if gone else frame


def _rows(recipe: Recipe, scoring: ScoringRun, part: pl.DataFrame) -> Iterator[ScoreRow]:
    for customer, score, text in part.iter_rows():
        payload = parsed(text)
        yield recipe.score_model(
            scoring=scoring,
            tenant=scoring.agent.tenant,
            customer_id=customer,
            score=score,
            payload=payload,
            **recipe.score_fields(score, payload),
        )


def parsed(text: str) -> Any:
    """Return a payload as every database can store it; walking through each one would cost 20 times more."""
    payload = json.loads(text, parse_constant=lambda _name: None)
    return storable(payload) if "\\u0000" in text else payload


def _clear(model: type[ScoreRow], scoring: ScoringRun, customers: list[str]) -> None:
    for start in range(0, len(customers), BATCH):
        mine = model._default_manager.filter(
            scoring=scoring, customer_id__in=customers[start : start + BATCH]
        )
        mine.delete()
