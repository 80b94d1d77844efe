"""Recommender on Online Retail II: full ranking, 28-day window, model beside baselines and peers.

    python -m benchmarks.recommender [--quick]

Hyper-parameters were chosen on windows before 2011-09-09.
"""

from benchmarks.fine_tuning import compare, parse, retail_dataset

CUTOFFS = ("2011-09-09", "2011-10-07", "2011-11-04")
FIGURES = ("ndcg@10", "recall@20", "ndcg@10_new", "recall@20_new")
CONFIG = {
    "agent": "recommender",
    "task": "next_product",
    "horizon_days": 28,
    "baselines": ["personal_top", "popularity", "item_knn"],
    "learning_rate": 1e-3,
    "batch_size": 32,
    "dropout": 0.2,
}


def main() -> None:
    arguments = parse(__doc__)
    with retail_dataset() as dataset:
        compare(
            dataset,
            CONFIG,
            cutoffs=arguments.cutoffs or (CUTOFFS[:1] if arguments.quick else CUTOFFS),
            backbones=["transformer"] if arguments.quick else arguments.backbones,
            seeds=arguments.seeds,
            figures=FIGURES,
        )


if __name__ == "__main__":
    main()
