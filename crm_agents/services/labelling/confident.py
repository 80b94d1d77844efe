"""Confident learning over plain arrays; knows nothing of Django, so benchmarks measure what is shipped."""

from collections.abc import Sequence

import numpy as np

from crm_agents.services.labelling.text_model import Floats


def suspicions(labels: Sequence[str], answers: Sequence[str], probabilities: Floats) -> list[float | None]:
    """Return the suspicion of each label, None for those that confident learning does not doubt."""
    from cleanlab.filter import find_label_issues  # two seconds and a hundred megabytes: never in a page
    from cleanlab.rank import get_label_quality_scores

    places = {answer: place for place, answer in enumerate(answers)}
    given = np.asarray([places[label] for label in labels])
    doubted = find_label_issues(given, probabilities, n_jobs=1)  # a worker may not have children
    quality = get_label_quality_scores(given, probabilities)
    return [
        round(float(1 - right), 6) if doubt else None for doubt, right in zip(doubted, quality, strict=True)
    ]
