"""Churn on Online Retail II: no purchase in 90 days by a customer active in the last 365.

    python -m benchmarks.churn [--quick]

Network and optimiser settings were chosen on windows before 2011-09-09, so the two earlier cut-offs are
development figures. How far last year's season is trusted in the calibration (`TRUST`) was compared on
2011-09-09 as well: the ECE and Brier score of that cut-off are not fully held out.
"""

from benchmarks.fine_tuning import compare, parse, retail_dataset, shipped_config
from benchmarks.peers.churn import churn_peers

CUTOFFS = ("2011-03-09", "2011-06-09", "2011-09-09")
FIGURES = ("roc_auc", "pr_auc", "brier", "ece", "accuracy", "lift@10")


def main() -> None:
    arguments = parse(__doc__)
    with retail_dataset() as dataset:
        compare(
            dataset,
            shipped_config("churn"),
            cutoffs=arguments.cutoffs or (CUTOFFS[-1:] if arguments.quick else CUTOFFS),
            backbones=["transformer"] if arguments.quick else arguments.backbones,
            seeds=arguments.seeds,
            figures=FIGURES,
            peers=churn_peers,
        )


if __name__ == "__main__":
    main()
