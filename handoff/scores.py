"""Score files: what `python -m neural score` writes for one shard and Django reads into its tables.

One Parquet file a shard with SCORES, sorted by customer. `payload` is a JSON object:

next_product  {"source": "model" | "similar_customers" | "popularity",
               "items": [{"product": "85048", "score": 0.31, "reasons": [REASON, …]}, …]}, or
              {"source": null, "items": [], "missing": [MISSING, …]} with `score` null
churn         {"reasons": [REASON, …]}              with `score` = probability of churn, or
              {"missing": [MISSING, …]}               with `score` null

text_label    {"label", "probability", "scope", "answered", "at",
               "alternatives": [{"label", "probability"}, …]}   of the customer's newest text, with `score` =
              scope, how sure it is that the text is one of the known labels', or
              {"missing": [MISSING, …]} with `score` null

REASON        {"code": "repeat", "direction": "up" | "down", …facts}, see docs/reference/reasons.md
MISSING       {"code": "inactive", "days": 365}, see `handoff.missing`

The apps turn codes into words, in the language of whoever reads.

Beside a score file there may be side files of the same shard, `<name>-<score file>`, whose first column is
`key` (what a row speaks of, a product say). Next comes either `customer`, then numbers, or `payload`, a JSON
object. The tasks write these:

audience      next_product: the customers likeliest to buy each product, the best first. AUDIENCE
relations     next_product, shard 0 only: every product's place among the others. RELATIONS, whose payload is
              {"offered": true, "orders": 410, "customers": 120, "known_by": ["name", "category", "price"],
               "ranked_by": ["category", "price"] (what the model reads of these),
               "substitutes": [{"product", "reasons": [REASON, …]}, …],
               "bundles": [{"product", "orders", "of", "lift"}, …]}
"""

from pathlib import Path

import polars as pl

SCORES = pl.Schema(
    {
        "customer": pl.String(),
        "score": pl.Float64(),  # what lists sort by; null where there is no answer, and payload says why
        "payload": pl.String(),
    }
)
AUDIENCE = pl.Schema(
    {
        "key": pl.String(),  # the product
        "customer": pl.String(),
        "chance": pl.Float64(),  # of buying it within the horizon
        "times": pl.Int64(),  # bought so far; null for never, as the next one
        "days_since": pl.Int64(),  # since the last time
    }
)
RELATIONS = pl.Schema({"key": pl.String(), "payload": pl.String()})


def side_path(scores: Path, name: str) -> Path:
    """Where the side file `name` of a score file lies.

    >>> side_path(Path("scores/shard-0003.parquet"), "audience").name
    'audience-shard-0003.parquet'
    """
    return scores.with_name(f"{name}-{scores.name}")
