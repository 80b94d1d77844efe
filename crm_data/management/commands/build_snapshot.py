"""`manage.py build_snapshot`: freeze the CRM's rows as a dataset."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from crm_data.selectors import get_source, snapshot_folder
from crm_data.services.snapshots import STATE, SnapshotError, build_snapshot
from handoff.files import read_json


class Command(BaseCommand):
    help = "Build a snapshot of the CRM's rows, from the last one where possible."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", help="One tenant; all of the Source's by default.")
        parser.add_argument("--full", action="store_true", help="Read every row again.")
        parser.add_argument("--json", action="store_true", help="Print one JSON line for each snapshot.")

    def handle(self, *args: Any, **options: Any) -> None:
        tenants = list(get_source().tenants()) if options["tenant"] is None else [options["tenant"]]
        for tenant in tenants:
            try:
                snapshot = build_snapshot(tenant, full=options["full"], on_progress=self._progress)
            except SnapshotError as error:
                raise CommandError(str(error)) from error
            folder = snapshot_folder(snapshot)
            dropped = read_json(folder / STATE)["dropped"]
            if options["json"]:
                facts = {
                    "tenant": tenant,
                    "folder": str(folder),
                    "sha256": snapshot.sha256,
                    "events": snapshot.events,
                    "customers": snapshot.customers,
                    "products": snapshot.products,
                    "shards": snapshot.shards,
                    "incremental": snapshot.incremental,
                    "dropped": dropped,
                }
                self.stdout.write(json.dumps(facts))
                continue
            self.stdout.write(
                _("%(events)d events of %(customers)d customers and %(products)d products in %(folder)s")
                % {
                    "events": snapshot.events,
                    "customers": snapshot.customers,
                    "products": snapshot.products,
                    "folder": folder,
                }
            )
            for reason, rows in dropped.items():
                self.stdout.write(
                    _("  left out, %(reason)s: %(rows)d rows") % {"reason": reason, "rows": rows}
                )

    def _progress(self, phase: str, done: int, of: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{phase} {done:,} / {of:,}", ending="")
            if done == of:
                self.stderr.write("")
