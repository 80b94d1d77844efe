"""Scores that were kept, and how they turned out: what `python -m neural judge` reads and writes.

--scores   one Parquet file of KEPT, sorted by customer, all as of one moment
--out      {"version": 1, "as_of": ISO time, "until": ISO time,
            "customers": 812,                      those who count: active for churn, buyers for a ranking
            "metrics": {"roc_auc": 0.77, …},       by the names that the test of a version uses
            "tiers": {"high": {"customers": 90, "happened": 61}, …}}      absent where no row has a tier

"happened" is what the agent foretold: the customer was gone, or bought one of the products of the list.
"""

import polars as pl

KEPT = pl.Schema(
    {
        "customer": pl.String(),
        "score": pl.Float64(),  # null where there was no answer
        "tier": pl.String(),  # by which staff acted on it; "" where the agent has none
        "items": pl.List(pl.String()),  # the products of a ranking, best first; null where it is none
    }
)
VERSION = 1
