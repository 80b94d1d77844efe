"""Settings of the rooms, read from `settings.CRM_AGENTS` when asked, so that tests may override them."""

from pathlib import Path
from typing import Any

from django.conf import settings

DEFAULTS: dict[str, Any] = {
    # Dotted path of the Source class by which the CRM's rows are read.
    "SOURCE": "crm_data.builtin.BuiltInSource",
    # ISO code of the built-in tables' amounts that name no currency of their own.
    "CURRENCY": "GBP",
    # Folder of snapshots, run folders and artifacts; shared by all web and worker machines.
    "ROOT": "var",
    # Events of one snapshot file, about: scoring and training fan out over the files.
    "SHARD_EVENTS": 250_000,
    # Admin sites, as dotted paths, that carry the agents' pages.
    "ADMIN_SITES": ["django.contrib.admin.site"],
    # A worker that has not renewed its lease for so long is taken for dead.
    "LEASE_SECONDS": 30,
    # Attempts that get a run no further, before it is failed for good.
    "MAX_ATTEMPTS": 3,
    # Published score sets kept for rollback.
    "KEPT_SCORE_SETS": 3,
    # Newest snapshots of a tenant whose files are kept whoever used them, and for how many days; those of
    # live, shadow and kept versions and of work under way stay in any case.
    "KEPT_SNAPSHOTS": 10,
    "KEPT_SNAPSHOT_DAYS": 90,
    # Days that the folder of an ended run is kept: its log and its figures.
    "KEPT_RUN_DAYS": 30,
    # Secret by which erased customers are recognised; empty for SECRET_KEY. It must never be lost.
    "ERASURE_KEY": "",
    # Command of the trainer; empty for this interpreter's `python -m neural`.
    "NEURAL_COMMAND": [],
    # Threads of one trainer or scorer.
    "THREADS": 1,
    # Agents whose answer about a customer is made anew after each interaction. The interactive worker keeps
    # their live models loaded: at most so many, in one child process of at most so much memory.
    "FRESH_AGENTS": ["recommender"],
    "WARM_MODELS": 2,
    "WARM_MEMORY_MB": 4096,
    # Whether saving or deleting a row that the Source reads as an event refreshes its customer's answers.
    "FOLLOW_SOURCE": False,
    # Where news of alerts is sent by Django's mail; nobody where empty.
    "ALERT_EMAILS": [],
    # Days that must lie between a training and one that an alert starts by itself.
    "RETRAIN_AFTER_DAYS": 7,
    # Per-agent settings, by recipe name: overrides of the recipe's defaults.
    "AGENTS": {},
}


def setting(name: str) -> Any:
    """Return one setting. Raises KeyError for a name that does not exist."""
    configured: dict[str, Any] = getattr(settings, "CRM_AGENTS", {})
    return configured.get(name, DEFAULTS[name])


def root() -> Path:
    """Return the folder of snapshots, runs and artifacts."""
    return Path(setting("ROOT")).absolute()
