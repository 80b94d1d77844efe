"""Versions side by side: is one better than the other, or was it chance?

Two versions are compared customer by customer on what each said of the same test window. Where the windows
differ there is nothing to pair, and that is said instead: another season can move a metric more than another
model does. What is compared is only read; a result that took long is kept beside the predictions.
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from crm_agents.folders import again_file, predictions_file, records_folder
from crm_agents.jsonable import storable
from crm_agents.models import ModelVersion
from handoff.errors import HandoffError
from handoff.files import read_json, write_json

logger = logging.getLogger(__name__)

MOST = 4  # versions on one page
SLOW = 0.2  # seconds from which on a result is kept
FEWEST = 2  # customers that both were asked about

Difference = tuple[float | None, float | None, float | None]  # value, low, high


class NotComparable(HandoffError):
    """These versions cannot stand side by side; the text says which choice can."""


class NoSuchVersion(NotComparable):
    """One of them does not exist."""


@dataclass(frozen=True)
class Paired:
    """How `version` differs from `against` on the customers that both were tested on.

    `problem` says by a code why there is nothing to pair: "windows", "predictions", "metrics" or "customers".
    """

    version: ModelVersion
    against: ModelVersion
    problem: str = ""
    again: ModelVersion | None = None  # which of the two was measured again, on the other's window
    customers: int = 0
    left_out: int = 0  # examples of either that the other lacks, or of another outcome
    differences: Mapping[str, Difference] = field(default_factory=dict)


def chosen_versions(keys: Sequence[int], *, tenant: str | None = None) -> list[ModelVersion]:
    """Return two to MOST versions of one agent, by number. Raises NotComparable."""
    wanted = list(dict.fromkeys(keys))
    if not 2 <= len(wanted) <= MOST:
        text = _("Choose from two to %(most)s versions; these are %(count)s.")
        raise NotComparable(text % {"most": MOST, "count": len(wanted)})
    known = ModelVersion.objects.select_related("agent", "snapshot", "run").order_by("number")
    if tenant is not None:
        known = known.filter(agent__tenant=tenant)
    found = list(known.filter(pk__in=wanted))
    missing = sorted(set(wanted) - {version.pk for version in found})
    if missing:
        raise NoSuchVersion(_("There is no version %(ids)s.") % {"ids": ", ".join(map(str, missing))})
    agents = {version.agent_id: str(version.agent) for version in found}
    if len(agents) > 1:
        text = _("These are versions of different agents (%(agents)s); choose versions of one.")
        raise NotComparable(text % {"agents": ", ".join(sorted(agents.values()))})
    return found


def reference_of(versions: Sequence[ModelVersion]) -> ModelVersion:
    """Return the version that the others are compared with: the live one, or the oldest."""
    live = [version for version in versions if version.agent.live_version_id == version.pk]
    return live[0] if live else min(versions, key=lambda version: version.number)


def compare(versions: Sequence[ModelVersion]) -> list[Paired]:
    """Compare every version with the reference."""
    against = reference_of(versions)
    return [paired(version, against) for version in versions if version.pk != against.pk]


def paired(version: ModelVersion, against: ModelVersion) -> Paired:
    """Compare two versions, or say why that cannot be done."""
    files, again = _files(version, against)
    if files is None:
        problem = "predictions" if test_window(version) == test_window(against) is not None else "windows"
        return Paired(version, against, problem)
    fingerprint = [_fingerprint(path) for path in files]
    place = records_folder(version) / f"compared-with-{against.number}.json"
    found = _kept(place, fingerprint)
    if found is None:
        clock = time.monotonic()
        try:
            found = _computed(*files)
        except HandoffError:  # a damaged file must not take the page with it
            logger.exception("Could not compare %s with %s.", version, against)
            return Paired(version, against, "predictions")
        if time.monotonic() - clock > SLOW:
            _keep(place, fingerprint, found)
    differences = {name: (value, low, high) for name, (value, low, high) in found["differences"].items()}
    counts = found["customers"], found["left_out"]
    return Paired(version, against, found["problem"], again, *counts, differences)


def compare_with_live(version: ModelVersion) -> None:
    """Compare a new version with the live one, in the worker, so that the page need not wait for it."""
    live = version.agent.live_version
    if live is None or live.pk == version.pk:
        return
    try:
        paired(version, live)
    except OSError:
        logger.exception("Could not compare %s with %s.", version, live)


def test_window(version: ModelVersion) -> list[str] | None:
    """Return from when to when a version was tested, or None where its evaluation does not tell."""
    window: list[str] | None = (version.evaluation.get("windows") or {}).get("test")
    return window


def _files(
    version: ModelVersion, against: ModelVersion
) -> tuple[tuple[Path, Path] | None, ModelVersion | None]:
    """Return what each said of one and the same window, and which of them was asked about it later."""
    mine, theirs = predictions_file(version), predictions_file(against)
    if test_window(version) == test_window(against) is not None:
        choices: list[tuple[Path, Path, ModelVersion | None]] = [(mine, theirs, None)]
    else:
        choices = [
            (mine, again_file(against, version), against),
            (again_file(version, against), theirs, version),
        ]
    for first, second, again in choices:
        if first.is_file() and second.is_file():
            return (first, second), again
    return None, None


def _computed(mine_file: Path, their_file: Path) -> dict[str, Any]:
    """Resample the customers of both and measure both on the same draws."""
    # Loaded here: a web process that compares nothing can do without polars.
    from handoff.predictions import measure, read_predictions
    from handoff.resampling import resample

    mine, theirs, left_out = _common(read_predictions(mine_file), read_predictions(their_file))
    found: dict[str, Any] = {"problem": "", "customers": 0, "left_out": left_out, "differences": {}}
    if ("label" in mine.columns) != ("label" in theirs.columns):
        return {**found, "problem": "metrics"}
    found["customers"] = mine["customer"].n_unique()
    if found["customers"] < FEWEST:
        return {**found, "problem": "customers"}
    measures = {"mine": measure(mine), "theirs": measure(theirs)}
    drawn = resample(measures, mine["customer"].to_numpy())
    shared = [name for name in measures["mine"].names if name in measures["theirs"].names]
    for name in shared:
        each = drawn["mine"].difference(drawn["theirs"], name)
        found["differences"][name] = [each.value, each.low, each.high]
    return found if shared else {**found, "problem": "metrics"}


def _common(first: Any, second: Any) -> tuple[Any, Any, int]:
    """Keep the examples that both have, with the same outcome, in the same order; count the others."""
    from handoff.predictions import FACTS, example_keys

    keys = [name for name in example_keys(first) if name in example_keys(second)]
    outcome = [
        name for name in FACTS if name in first.columns and name in second.columns and name not in keys
    ]
    same = [*keys, *outcome]
    mine = first.join(second.select(same), on=same, how="semi").sort(keys)
    theirs = second.join(first.select(same), on=same, how="semi").sort(keys)
    return mine, theirs, len(first) + len(second) - len(mine) - len(theirs)


def _fingerprint(path: Path) -> list[int]:
    """What changes with the file, when a customer is erased from it, say."""
    known = path.stat()
    return [known.st_size, known.st_mtime_ns]


def _kept(place: Path, fingerprint: list[list[int]]) -> dict[str, Any] | None:
    try:
        kept = read_json(place)
    except (HandoffError, OSError):
        return None
    return kept["found"] if kept.get("fingerprint") == fingerprint else None


def _keep(place: Path, fingerprint: list[list[int]], found: Mapping[str, Any]) -> None:
    try:
        write_json(place, {"fingerprint": fingerprint, "found": storable(json.loads(json.dumps(found)))})
    except OSError:
        logger.exception("Could not keep %s; it will be computed again.", place)
