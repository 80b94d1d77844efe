"""`manage.py crm_source check | suggest`: try a mapping without writing anything, or draft one."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from crm_data.checks import check_source
from crm_data.selectors import get_source
from crm_data.services.inspection import EventsReport, SourceReport, inspect_source
from crm_data.services.suggesting import suggest


class Command(BaseCommand):
    help = "Check the Source against the rows (dry run), or draft one from the installed models."
    requires_system_checks: list[str] = []  # a broken Source is what this command is there to explain

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["check", "suggest"])

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "suggest":
            self.stdout.write(suggest())
            return
        self._declarations()
        source = get_source()
        failures = 0
        for tenant in source.tenants():
            report = inspect_source(source, tenant)
            self._report(report)
            failures += len(report.errors)
        if failures:
            raise CommandError(_("%(errors)d errors. No snapshot can be built yet.") % {"errors": failures})
        self.stdout.write(self.style.SUCCESS(_("The Source can be read.")))

    def _declarations(self) -> None:
        problems = check_source()
        for problem in problems:
            remedy = _("remedy: %(hint)s") % {"hint": problem.hint}
            self.stderr.write(f"({problem.id}) {problem.msg}\n    {remedy}")
        if problems:
            raise CommandError(_("%(errors)d errors in the Source.") % {"errors": len(problems)})

    def _report(self, report: SourceReport) -> None:
        if report.tenant:
            self.stdout.write(_("Tenant %(tenant)s") % {"tenant": report.tenant})
        self._line(_("customers"), f"{report.customers:,}", _nameless(report.nameless))
        self._line(_("products"), f"{report.products:,}", _nameless(report.nameless_products))
        for events in report.events:
            self._events(events)
        for agent, missing in report.ready.items():
            self._line(agent, _("ready") if not missing else _("not enough data"), " ".join(missing))
        for error in report.errors:
            self.stderr.write(self.style.ERROR(error))

    def _events(self, events: EventsReport) -> None:
        span = f"{events.first:%Y-%m-%d} – {events.last:%Y-%m-%d}" if events.first and events.last else ""
        self._line(events.model, f"{events.rows:,}", span)
        self._line(
            "  " + _("kinds"), ", ".join(f"{kind or '?'} {rows:,}" for kind, rows in events.kinds.items())
        )
        empty = ", ".join(f"{name} {share:.1%}" for name, share in events.empty.items() if share)
        self._line("  " + _("empty"), empty or _("nothing"))
        lost = {
            _("no customer"): events.guests,
            _("no date"): events.undated,
            _("in the future"): events.future,
            _("no kind"): events.kinds.get("", 0),
        }
        dropped = ", ".join(f"{reason} {rows:,}" for reason, rows in lost.items() if rows)
        self._line("  " + _("left out"), dropped or _("nothing"))
        if not events.incremental:
            self._line(
                "  " + _("snapshots"), _("read in full each time; name `changed` to build on the last one")
            )

    def _line(self, what: str, value: str, more: str = "") -> None:
        self.stdout.write(f"{what:<24} {value}{'  ' + more if more else ''}")


def _nameless(count: int) -> str:
    return _("(%(count)d without a name: shown by their key)") % {"count": count} if count else ""
