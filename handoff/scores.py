"""Score files: what `python -m neural score` writes for one shard and Django reads into its tables.

One Parquet file a shard with SCORES, sorted by customer. `payload` is a JSON object:

next_product  {"source": "model" | "popularity",
               "items": [{"product": "85048", "score": 0.31, "reasons": [REASON, …]}, …]}
churn         {"reasons": [REASON, …]}              with `score` = probability of churn, or
              {"missing": ["No purchase in the last 365 days."]}     with `score` null

REASON        {"code": "repeat", "direction": "up" | "down", …facts}: the app turns codes into words.
"""

import polars as pl

SCORES = pl.Schema(
    {
        "customer": pl.String(),
        "score": pl.Float64(),  # what lists sort by; null where there is no answer, and payload says why
        "payload": pl.String(),
    }
)
