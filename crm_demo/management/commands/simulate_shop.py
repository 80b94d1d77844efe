"""`manage.py simulate_shop`: fill an empty CRM with customers whose truth is known."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from crm_demo.services.filling import ShopNotEmpty, fill
from crm_demo.services.users import sales_reps
from crm_demo.simulator import ShopSpec


class Command(BaseCommand):
    help = "Fill the empty built-in CRM tables with two simulated years of a shop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customers", type=int, default=3000, help="500 … 1,000,000 (default 3000)")
        parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same shop")
        parser.add_argument("--reps", type=int, default=2, help="sales reps who share the customers")
        parser.add_argument("--truth", type=Path, help="folder of the ground truth (default: in CRM_VAR)")

    def handle(self, *args: Any, **options: Any) -> None:
        truth: Path = options["truth"] or Path(settings.VAR) / "shop-truth"
        try:
            spec = ShopSpec(customers=options["customers"], seed=options["seed"])
            filled = fill(
                spec, owners=sales_reps(options["reps"]), truth_folder=truth, on_progress=self._progress
            )
        except (ShopNotEmpty, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{filled.customers:,} customers, {filled.products:,} products, "
            f"{filled.interactions:,} interactions. The truth about them is in {truth}."
        )

    def _progress(self, done: int, of: int) -> None:
        self.stderr.write(f"{done:,} of {of:,} customers")
