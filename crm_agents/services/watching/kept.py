"""The scores that are kept, in one small file a scoring, until it is known how they turned out."""

import datetime as dt
import shutil
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import polars as pl

from crm_agents.folders import kept_folder
from crm_agents.models import Agent, ScoringRun
from crm_agents.recipes import Recipe, get_recipe
from crm_agents.selectors import shadow_scoring
from crm_data.suppression import Suppressed
from handoff.errors import HandoffError
from handoff.files import write_bytes
from handoff.outcomes import KEPT

SCORES = "scores.parquet"
_ITEMS = pl.Struct({"items": pl.List(pl.Struct({"product": pl.String()}))})


def keep_scores(scoring: ScoringRun, files: Sequence[Path]) -> pl.DataFrame:
    """Write the shards' score files as one kept file in one step and return it.

    Whoever opted out or was erased meanwhile is not in it. Raises HandoffError for a file that is no score
    file.
    """
    recipe = get_recipe(scoring.agent.name)
    parts = [_compact(recipe, path) for path in files]
    frame = pl.concat(parts).sort("customer") if parts else pl.DataFrame(schema=KEPT)
    gone = Suppressed(scoring.agent.tenant).among(frame["customer"])
    frame = frame.filter(~pl.col("customer").is_in(sorted(gone))) if gone else frame
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
    day = scoring.as_of.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    that_day = same.filter(as_of__gte=day, as_of__lt=day + dt.timedelta(days=1))
    for other in that_day.exclude(pk__in=needed):
        if not other.is_active and kept_folder(other).exists():
            drop_scores(other)
            gone += 1
    return gone


def _compact(recipe: Recipe, path: Path) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(path)
        items = frame["payload"].str.json_decode(_ITEMS).struct.field("items")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise HandoffError(f"{path} is not a score file: {error}") from error
    products = items.list.eval(pl.element().struct.field("product"))
    tiers = {score: recipe.tier(score) for score in frame["score"].unique().to_list()}  # far fewer than rows
    return pl.DataFrame(
        {
            "customer": frame["customer"],
            "score": frame["score"],
            "tier": [tiers[score] for score in frame["score"]],
            "items": products,
        },
        schema=KEPT,
    )


def _write(path: Path, frame: pl.DataFrame) -> None:
    buffer = BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    write_bytes(path, buffer.getvalue())
