"""Recommender on Online Retail II: full ranking, 28-day window, model beside baselines and peers.

    python -m benchmarks.recommender [--quick]

Hyper-parameters were chosen on windows before 2011-09-09.
"""

from benchmarks.fine_tuning import compare, parse, retail_dataset, shipped_config
from benchmarks.peers import recommender_peers

CUTOFFS = ("2011-09-09", "2011-10-07", "2011-11-04")
FIGURES = ("ndcg@10", "recall@20", "ndcg@10_new", "recall@20_new")


def main() -> None:
    arguments = parse(__doc__)
    with retail_dataset() as dataset:
        compare(
            dataset,
            shipped_config("recommender"),
            cutoffs=arguments.cutoffs or (CUTOFFS[:1] if arguments.quick else CUTOFFS),
            backbones=["transformer"] if arguments.quick else arguments.backbones,
            seeds=arguments.seeds,
            figures=FIGURES,
            peers=recommender_peers,
        )


if __name__ == "__main__":
    main()
