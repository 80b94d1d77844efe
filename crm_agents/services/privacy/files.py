"""Files below the root that name customers: rows of Parquet files, and words of logs.

Which they are is told by their folders, those of runs, scorings, experiments and versions of one tenant, and
by a column `customer`. Artifacts name no customer and are never changed.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from crm_agents.folders import agent_artifacts
from crm_agents.models import Agent, Experiment, ScoringRun, TrainingRun
from crm_agents.services.privacy.texts import Scrubber
from crm_data.conf import root
from crm_data.suppression import Suppressed
from handoff.files import write_bytes

TEXT_FILES = (".log", ".json", ".jsonl", ".txt", ".csv")
ERASING = ".erasing"  # ends the name of a file that is being written without the erased
UNTOUCHED = "config.json"  # settings only


@dataclass
class Cleaned:
    """What was taken out of files: rows by file, and the texts that changed."""

    rows: dict[str, int] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)


def clean_files(suppressed: Suppressed, scrubber: Scrubber, *, busy: set[str]) -> Cleaned:
    """Take erased customers out of every file of the tenant, but those of the folders named in `busy`."""
    cleaned = Cleaned()
    for path in _files(suppressed.tenant, busy):
        name = path.relative_to(root()).as_posix()
        if _is_half(path):
            path.unlink(missing_ok=True)
        elif path.suffix == ".parquet":
            rows = _without_erased(path, suppressed)
            if rows:
                cleaned.rows[name] = rows
        elif path.suffix in TEXT_FILES and path.name != UNTOUCHED and _scrub(path, scrubber):
            cleaned.texts.append(name)
    return cleaned


def rows_about(tenant: str, customer_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return the customer's rows of every Parquet file that has any, by the file's place."""
    found = {}
    for path in _files(tenant, set()):
        if path.suffix == ".parquet" and _names_customers(path):
            rows = pl.scan_parquet(path).filter(pl.col("customer") == customer_id).collect()
            if len(rows):
                text = rows.write_json()
                found[path.relative_to(root()).as_posix()] = json.loads(text)
    return found


def _files(tenant: str, busy: set[str]) -> Iterator[Path]:
    for folder in _folders(tenant):
        if folder.name not in busy:
            yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _folders(tenant: str) -> Iterator[Path]:
    """Yield the folders of the tenant's runs, scorings, experiments and versions, as far as they exist."""
    runs = TrainingRun.objects.filter(agent__tenant=tenant).values_list("pk", flat=True)
    scorings = ScoringRun.objects.filter(agent__tenant=tenant).values_list("pk", flat=True)
    experiments = Experiment.objects.filter(agent__tenant=tenant).values_list("pk", flat=True)
    places = (("runs", runs), ("scores", scorings), ("scorings", scorings), ("experiments", experiments))
    for place, mine in places:
        present = {path.name: path for path in (root() / place).glob("*") if path.is_dir()}
        if present:
            yield from (present[name] for name in sorted(set(map(str, mine)) & present.keys()))
    for agent in Agent.objects.filter(tenant=tenant):
        records = root() / "records" / agent_artifacts(agent).name
        yield from sorted(path for path in records.glob("*") if path.is_dir())


def _is_half(path: Path) -> bool:
    """Whether a process was killed while it wrote the file, see `handoff.files.write_bytes` and below."""
    return path.name.startswith(".") and (path.suffix[1:].isdigit() or path.suffix == ERASING)


def _names_customers(path: Path) -> bool:
    try:
        return pl.read_parquet_schema(path).get("customer") == pl.String
    except (OSError, pl.exceptions.PolarsError):
        return False  # half a file, of work that was killed


def _without_erased(path: Path, suppressed: Suppressed) -> int:
    if not _names_customers(path):
        return 0
    customers = pl.scan_parquet(path).select(pl.col("customer").unique()).collect()["customer"]
    erased = suppressed.erased_among(customer for customer in customers if customer is not None)
    if not erased:
        return 0
    frame = pl.read_parquet(path)
    kept = frame.filter(~pl.col("customer").is_in(sorted(erased)) | pl.col("customer").is_null())
    temporary = path.with_name(f".{path.name}{ERASING}")
    try:
        kept.write_parquet(temporary, compression="zstd")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return len(frame) - len(kept)


def _scrub(path: Path, scrubber: Scrubber) -> bool:
    try:
        before = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    after = scrubber.text(before)
    if after != before:
        write_bytes(path, after.encode())
    return after != before
