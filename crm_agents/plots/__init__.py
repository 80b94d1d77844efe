"""Plots of a model card as SVG markup made on the server: readable under a strict CSP, in dark mode and by
screen readers (each has a title, a description and its figures as a table)."""

from crm_agents.plots.bars import comparison, confusion, histogram
from crm_agents.plots.curves import calibration, learning_loss, learning_metric, precision_recall, roc
from crm_agents.plots.figure import Plot, render
from crm_agents.plots.ranges import Range, ranges
from crm_agents.plots.ranking import by_customer, by_length, popularity
from crm_agents.plots.sparkline import sparkline

__all__ = [
    "Plot",
    "Range",
    "by_customer",
    "by_length",
    "calibration",
    "comparison",
    "confusion",
    "histogram",
    "learning_loss",
    "learning_metric",
    "popularity",
    "precision_recall",
    "ranges",
    "render",
    "roc",
    "sparkline",
]
