"""What compression made of a version: size, latency and quality before and after."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from crm_agents.names import in_order, metric_label
from crm_agents.words import figure, number


class Row(NamedTuple):
    """One line of the table "before and after"."""

    label: str
    before: str
    after: str
    change: str


def compression_rows(evaluation: Mapping[str, Any]) -> list[Row]:
    """Return size, latency and quality before and after; nothing for a version that was not compressed."""
    found = evaluation.get("compression")
    if not found:
        return []
    before, after = found["before"], found["after"]
    sizes = (
        ("layers", _("Layers")),
        ("heads", _("Attention heads in a layer")),
        ("units", _("Units in a layer")),
        ("parameters", _("Parameters")),
        ("bytes", _("Size of the weights (bytes)")),
        ("ms", _("Milliseconds for 1,000 customers")),
    )
    rows = [
        Row(label, _size(before[name]), _size(after[name]), _change(before[name], after[name]))
        for name, label in sizes
        if before.get(name) is not None and after.get(name) is not None
    ]
    shared = in_order(set(before["metrics"]) & set(after["metrics"]))
    return rows + [
        Row(
            metric_label(name),
            figure(before["metrics"][name]),
            figure(after["metrics"][name]),
            _change(before["metrics"][name], after["metrics"][name]),
        )
        for name in shared
    ]


def _size(value: float) -> str:
    return number(value, 1 if isinstance(value, float) else 0)


def _change(before: float | None, after: float | None) -> str:
    """The change in per cent of what there was."""
    if not before or after is None:
        return "–"
    return f"{(after - before) / abs(before) * 100:+.1f} %"
