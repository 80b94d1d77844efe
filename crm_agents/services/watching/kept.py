"""The scores that are kept, in one small file a scoring, until it is known how they turned out."""

import json
import shutil
from collections.abc import Collection, Iterable, Sequence
from io import BytesIO
from pathlib import Path

import polars as pl

from crm_agents.folders import kept_folder
from crm_agents.models import Agent, ScoringRun
from crm_agents.recipes import Recipe, get_recipe
from crm_agents.selectors import shadow_scoring
from handoff.errors import HandoffError
from handoff.files import read_json, write_bytes, write_json

KEPT = pl.Schema(
    {
        "customer": pl.String(),
        "score": pl.Float64(),
        "tier": pl.String(),  # "" where the agent has none
        "items": pl.List(pl.String()),  # the products of a ranking, best first; null where it is none
    }
)
SCORES, CHANGED = "scores.parquet", "changed.json"
_ITEMS = pl.Struct({"items": pl.List(pl.Struct({"product": pl.String()}))})


def keep_scores(scoring: ScoringRun, files: Sequence[Path]) -> pl.DataFrame:
    """Write the shards' score files as one kept file in one step and return it.

    Raises HandoffError for a file that is no score file.
    """
    recipe = get_recipe(scoring.agent.name)
    parts = [_compact(recipe, path) for path in files]
    frame = pl.concat(parts).sort("customer") if parts else pl.DataFrame(schema=KEPT)
    folder = kept_folder(scoring)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / SCORES, frame)
    return frame


def read_scores(scoring: ScoringRun) -> pl.DataFrame | None:
    """Return what is kept of a scoring, or None where nothing is."""
    path = kept_folder(scoring) / SCORES
    return pl.read_parquet(path) if path.exists() else None


def drop_scores(scoring: ScoringRun) -> None:
    """Delete what is kept of one scoring."""
    shutil.rmtree(kept_folder(scoring), ignore_errors=True)


def thin_out(scoring: ScoringRun) -> int:
    """Keep one set a day of a version's scores, the newest; return how many others went.

    What is compared with a shadow, and the shadow's own, stays.
    """
    agent = Agent.objects.get(pk=scoring.agent_id)
    shadow = shadow_scoring(agent)
    others = (agent.live_scoring_id, shadow.pk if shadow else None)
    needed = {scoring.pk, *(pk for pk in others if pk is not None)}
    same = ScoringRun.objects.filter(agent=agent, version=scoring.version_id, realised_at=None)
    gone = 0
    for other in same.filter(as_of__date=scoring.as_of.date()).exclude(pk__in=needed):
        if not other.is_active and kept_folder(other).exists():
            drop_scores(other)
            gone += 1
    return gone


def forget_customers(scorings: Iterable[ScoringRun], customers: Collection[str]) -> int:
    """Erase customers from everything that is kept; return how many rows."""
    rows = 0
    for scoring in scorings:
        frame = read_scores(scoring)
        if frame is None:
            continue
        rest = frame.filter(~pl.col("customer").is_in(list(customers)))
        if len(rest) < len(frame):
            rows += len(frame) - len(rest)
            _write(kept_folder(scoring) / SCORES, rest)
        _forget_changed(kept_folder(scoring) / CHANGED, customers)
    return rows


def _forget_changed(path: Path, customers: Collection[str]) -> None:
    if path.exists():
        changed = read_json(path)["customers"]
        rest = [entry for entry in changed if entry["customer"] not in customers]
        if len(rest) < len(changed):
            write_json(path, {"customers": rest})


def _compact(recipe: Recipe, path: Path) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(path)
        items = frame["payload"].str.json_decode(_ITEMS).struct.field("items")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise HandoffError(f"{path} is not a score file: {error}") from error
    products = items.list.eval(pl.element().struct.field("product"))
    return pl.DataFrame(
        {
            "customer": frame["customer"],
            "score": frame["score"],
            "tier": [recipe.tier(score) for score in frame["score"]],
            "items": products,
        },
        schema=KEPT,
    )


def _write(path: Path, frame: pl.DataFrame) -> None:
    buffer = BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    write_bytes(path, buffer.getvalue())


def changed_customers(scoring: ScoringRun) -> list[dict[str, object]]:
    """Return the customers whom a shadow sees most differently, as `beside` stored them."""
    path = kept_folder(scoring) / CHANGED
    found: list[dict[str, object]] = json.loads(path.read_text())["customers"] if path.exists() else []
    return found
