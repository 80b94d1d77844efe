"""What labels have brought is drawn from two points on; one says nothing about a course."""

from crm_agents.admin.labelling.plots import gain_plot, honest_plot
from crm_agents.services.labelling.progress import Honest, VersionGain


def estimate(labels: int) -> Honest:
    return Honest(labels, drawn=20, accuracy=0.8, low=0.6, high=0.9, log_loss=0.5)


def test_one_estimate_is_no_course() -> None:
    assert honest_plot([]) == honest_plot([estimate(100)]) == ""
    assert honest_plot([estimate(100), estimate(200)]).count("<circle") == 4


def test_versions_of_as_many_labels_are_not_drawn() -> None:
    first, second = VersionGain(1, 0, 0.75, None), VersionGain(2, 0, 0.76, None)

    assert gain_plot("roc_auc", []) == gain_plot("roc_auc", [first, second]) == ""
    drawn = gain_plot("roc_auc", [first, VersionGain(2, 200, 0.77, 0.01)])
    assert drawn.count("<circle") == 2
    assert "+0.0100" in drawn
