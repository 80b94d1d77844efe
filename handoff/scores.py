"""Score files: what `python -m neural score` writes for one shard and Django reads into its tables.

One Parquet file a shard with SCORES, sorted by customer. `payload` is a JSON object:

next_product  {"source": "model" | "popularity",
               "items": [{"product": "85048", "score": 0.31, "reasons": [REASON, …]}, …]}
churn         {"reasons": [REASON, …]}              with `score` = probability of churn, or
              {"missing": [MISSING, …]}               with `score` null

text_label    {"label", "probability", "scope", "answered", "at",
               "alternatives": [{"label", "probability"}, …]}   of the customer's newest text, with `score` =
              scope, how sure it is that the text is one of the known labels', or
              {"missing": [MISSING, …]} with `score` null

REASON        {"code": "repeat", "direction": "up" | "down", …facts}
MISSING       {"code": "inactive", "days": 365}, see `handoff.missing`

The apps turn codes into words, in the language of whoever reads.
"""

import polars as pl

SCORES = pl.Schema(
    {
        "customer": pl.String(),
        "score": pl.Float64(),  # what lists sort by; null where there is no answer, and payload says why
        "payload": pl.String(),
    }
)
