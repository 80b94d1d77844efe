"""Making the database ready: tables, data, people. A database that is not the demo's stays untouched."""

import json
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Mod

from crm_data.conf import root
from crm_data.models import Customer, Product
from crm_demo.demo.options import DemoOptions, DemoRefused
from crm_demo.services.filling import fill
from crm_demo.services.users import DEMO_MANAGER, DEMO_REPS, make_manager, make_rep, sales_reps
from crm_demo.simulator import ShopSpec
from handoff.files import write_json

Say = Callable[[str], None]


@dataclass(frozen=True)
class Login:
    role: str
    username: str
    password: str


def stage(options: DemoOptions, *, say: Say) -> list[Login]:
    """Create tables, data and people. Raises DemoRefused where other data are in the way."""
    folder = Path(settings.VAR)
    call_command("migrate", verbosity=0, interactive=False)
    marker = folder / "demo.json"
    wanted = {"database": _database(), "data": options.fingerprint()}
    present = json.loads(marker.read_text()) if marker.exists() else None
    if options.fresh:
        _begin_anew(present, folder, say)
    _refuse_other_data(present, wanted, fresh=options.fresh)
    logins = _people()
    if _has_data():
        say("The data of the last demo are still here; add FRESH=1 to begin anew.")
    else:
        write_json(marker, wanted)
        _fill(options, folder, say)
    call_command("collectstatic", verbosity=0, interactive=False)
    return logins


def _database() -> str:
    configured: dict[str, Any] = connection.settings_dict
    return "{ENGINE} {HOST}:{PORT} {NAME}".format(**configured)


def _has_data() -> bool:
    return Customer.objects.exists() or Product.objects.exists()


def _refuse_other_data(present: dict[str, Any] | None, wanted: dict[str, Any], *, fresh: bool) -> None:
    if not _has_data():
        return
    if present is None or present["database"] != wanted["database"]:
        raise DemoRefused(
            f"The database {wanted['database']} holds customers that no demo made, and they are left alone. "
            "Name an empty database in DATABASE_URL, or an empty folder in CRM_VAR."
        )
    if present["data"] != wanted["data"]:
        raise DemoRefused(
            f"The database holds the demo of {present['data']}, and {wanted['data']} was asked for. "
            "Add FRESH=1 to throw the old demo away, or name another folder in CRM_VAR."
        )


def _begin_anew(present: dict[str, Any] | None, folder: Path, say: Say) -> None:
    """Empty a database that a demo filled, and remove what its agents wrote."""
    if present is None or present["database"] != _database():
        return
    say("Removing the last demo …")
    call_command("flush", verbosity=0, interactive=False)
    shutil.rmtree(root(), ignore_errors=True)
    shutil.rmtree(folder / "shop-truth", ignore_errors=True)


def _people() -> list[Login]:
    """Make the manager and the reps, with new passwords at each start."""
    logins = [Login("manager", DEMO_MANAGER, secrets.token_urlsafe(9))]
    logins += [Login("sales rep", name, secrets.token_urlsafe(9)) for name in DEMO_REPS]
    for login in logins:
        make = make_manager if login.role == "manager" else make_rep
        make(login.username, password=login.password)
    return logins


def _fill(options: DemoOptions, folder: Path, say: Say) -> None:
    reps = sales_reps(len(DEMO_REPS))
    if options.data is None:
        say(f"Simulating two years of a shop with {options.customers:,} customers …")
        spec = ShopSpec(customers=options.customers, seed=options.seed)
        fill(spec, owners=reps, truth_folder=folder / "shop-truth")
        return
    say(f"Importing {options.data} …")
    call_command("import_transactions", str(options.data))
    for turn, rep in enumerate(reps):
        unowned = Customer.objects.filter(owner=None).annotate(turn=Mod("pk", len(reps)))
        unowned.filter(turn=turn).update(owner=rep)
