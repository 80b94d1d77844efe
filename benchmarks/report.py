"""One JSON line per figure, complete enough to be compared later: what was measured, on what, with what."""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

PACKAGES = ("crm-agents", "Django", "polars", "torch", "numpy", "scikit-learn", "lightgbm", "implicit")


def report(
    *,
    figure: str,
    value: float | int | str | None,
    unit: str,
    data: str,
    seed: int | None = None,
    **extra: Any,
) -> None:
    """Print one figure as a JSON line.

    `extra` names what else decides it: split="cut-off 2011-09-09", rows=788187, model="transformer" …
    """
    line = {
        "figure": figure,
        "value": round(value, 6) if isinstance(value, float) else value,
        "unit": unit,
        "data": data,
        "seed": seed,
        **extra,
        "versions": versions(),
        "machine": machine(),
    }
    print(json.dumps(line, ensure_ascii=False, default=str), flush=True)


def skip(*, figure: str, why: str) -> None:
    """Say plainly that a figure was not measured, and why; never report a made-up one."""
    print(json.dumps({"figure": figure, "skipped": why}, ensure_ascii=False), flush=True)


@cache
def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    commit = _commit()
    return {**found, "commit": commit} if commit else found


@cache
def machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "threads": int(os.environ.get("OMP_NUM_THREADS") or 0) or None,
        "platform": sys.platform,
        "arch": platform.machine(),
    }


def data_folder() -> Path:
    """Return the folder of the public data sets: `CRM_DATA_DIR`, else `../shared/data`."""
    project = Path(__file__).resolve().parent.parent
    return Path(os.environ.get("CRM_DATA_DIR") or project.parent / "shared" / "data")


def data_file(name: str) -> Path | None:
    """Return a data file, or None where it is not at hand."""
    path = data_folder() / name
    return path if path.is_file() else None


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).resolve().parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
