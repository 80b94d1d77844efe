"""A shadow's scores beside the live ones: in figures for the version's page, made once, by the worker."""

from typing import Any

import numpy as np
import polars as pl

from crm_agents.folders import changed_file
from crm_agents.models import Agent, ScoringRun
from crm_agents.selectors import shadow_scoring
from crm_agents.services.watching.kept import read_scores
from handoff.files import write_json

BINS = 20
TOP = 0.1  # share of the customers whom staff would be sent to first
LISTED = 10  # products of a list that are compared
SHOWN = 100  # customers kept of those whom the two see differently


def compare_shadow(agent: Agent) -> bool:
    """Compare the newest shadow with what is live and store it; False where either is missing."""
    agent = Agent.objects.select_related("live_scoring__version").get(pk=agent.pk)
    shadow, live = shadow_scoring(agent), agent.live_scoring
    if shadow is None or live is None:
        return False
    ours, theirs = read_scores(shadow), read_scores(live)
    if ours is None or theirs is None:
        return False
    both = theirs.join(ours, on="customer", how="inner", suffix="_shadow")
    facts = {
        "live": str(live.pk),
        "live_version": live.version.number,
        "live_as_of": live.as_of.isoformat(),
        "only_live": len(theirs) - len(both),
        "only_shadow": len(ours) - len(both),
        **compare(both),
    }
    write_json(changed_file(shadow), {"customers": most_changed(both)})
    ScoringRun.objects.filter(pk=shadow.pk).update(beside_live=facts)
    return True


def compare(both: pl.DataFrame) -> dict[str, Any]:
    """Compare the two scores of the same customers. Columns as in `kept.KEPT`, the shadow's with a suffix."""
    scored = both.filter(pl.col("score").is_not_null() & pl.col("score_shadow").is_not_null())
    facts: dict[str, Any] = {"customers": len(both), "scored": len(scored)}
    if len(scored):
        facts["histogram"] = _histogram(scored)
        facts["top_shared"] = _top_shared(scored)
        rank = scored.select(pl.corr("score", "score_shadow", method="spearman")).item()
        facts["rank_correlation"] = None if rank is None or np.isnan(rank) else round(rank, 4)
    tiers = both.filter((pl.col("tier") != "") | (pl.col("tier_shadow") != ""))
    if len(tiers):
        counted = tiers.group_by("tier", "tier_shadow").len().sort("tier", "tier_shadow")
        facts["tiers"] = [list(row) for row in counted.iter_rows()]  # live, shadow, customers
    lists = _listed(both)
    if len(lists):
        facts["list_shared"] = round(float(lists["shared"].sum()) / len(lists), 4)
        facts["same_first"] = round((lists["first"] == lists["first_shadow"]).sum() / len(lists), 4)
    return facts


def most_changed(both: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the customers whom the two see most differently: in another tier, or with another list."""
    change = (pl.col("score_shadow") - pl.col("score")).abs()
    tiers = both.filter(pl.col("tier") != pl.col("tier_shadow")).sort(
        change, "customer", descending=[True, False], nulls_last=True
    )
    names = ["customer", "score", "score_shadow", "tier", "tier_shadow"]
    if len(tiers):
        return tiers.head(SHOWN).select(names).to_dicts()
    if both["tier"].eq("").all():
        lists = _listed(both).filter(pl.col("shared") < 1).sort("shared", "customer").head(SHOWN)
        return lists.select("customer", "score", "score_shadow", "shared").to_dicts()
    return []


def _histogram(scored: pl.DataFrame) -> dict[str, Any]:
    low = min(_lowest(scored["score"]), _lowest(scored["score_shadow"]))
    high = max(-_lowest(-scored["score"]), -_lowest(-scored["score_shadow"]))
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    counts = {
        name: np.histogram(scored[column].to_numpy(), edges)[0].tolist()
        for name, column in (("live", "score"), ("shadow", "score_shadow"))
    }
    return {"edges": [round(float(edge), 6) for edge in edges], **counts}


def _lowest(scores: pl.Series) -> float:
    return float(scores.min() or 0.0)  # type: ignore[arg-type]  # of floats


def _top_shared(scored: pl.DataFrame) -> float:
    """Share of the live top tenth that is in the shadow's top tenth too."""
    count = max(1, round(len(scored) * TOP))
    tops = [
        set(scored.sort(column, "customer", descending=[True, False])["customer"].head(count))
        for column in ("score", "score_shadow")
    ]
    return round(len(tops[0] & tops[1]) / count, 4)


def _listed(both: pl.DataFrame) -> pl.DataFrame:
    """Customers whom both recommend something, with the share of the live list that the shadow has too."""
    lists = both.filter((pl.col("items").list.len() > 0) & (pl.col("items_shadow").list.len() > 0))
    ours, theirs = (pl.col(name).list.head(LISTED) for name in ("items", "items_shadow"))
    return lists.with_columns(
        shared=ours.list.set_intersection(theirs).list.len() / ours.list.len(),
        first=ours.list.first(),
        first_shadow=theirs.list.first(),
    )
