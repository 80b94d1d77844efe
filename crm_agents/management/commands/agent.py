"""`manage.py agent …`: the life of an agent from the command line."""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from crm_agents.following import follow
from crm_agents.models import ACTIVE_STATES, Agent, ModelVersion, RunStatus, TrainingRun
from crm_agents.services.agents import ensure_agents, get_agent
from crm_agents.services.publishing import (
    GateNotPassed,
    NothingToRollBackTo,
    promote_version,
    roll_back,
)
from crm_agents.services.retention import erase_customer
from crm_agents.services.runs import RunAlreadyActive, cancel_run, start_run
from crm_agents.services.scoring import NothingToScore, ScoringAlreadyActive, start_scoring
from crm_agents.verdicts import verdict_sentences
from crm_data.clock import minute
from handoff.errors import HandoffError

FOR_PEOPLE = (
    GateNotPassed,
    HandoffError,
    LookupError,
    NothingToRollBackTo,
    NothingToScore,
    RunAlreadyActive,
    ScoringAlreadyActive,
)


def assignment(text: str) -> tuple[str, Any]:
    """Read "key=value"; the value is JSON where it can be, else the text itself."""
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise CommandError(f"{text!r} is not of the form key=value.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


class Command(BaseCommand):
    help = "Trains, scores, publishes and rolls back agents."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="every agent, its last run and its live version")
        actions.add_parser("sweep", help="requeue what dead workers left behind, now")
        erase = actions.add_parser("erase", help="delete all scores of one customer, and the feedback")
        erase.add_argument("customer", help="the customer's id, as the scores have it")
        erase.add_argument("--tenant", default="")
        for name, help_text in (
            ("train", "start a fine-tuning run"),
            ("status", "runs and versions of one agent"),
            ("cancel", "end the active run"),
            ("score", "score the newest snapshot with the live version"),
            ("promote", "make a version the live one"),
            ("rollback", "go back to the version that was live before"),
        ):
            action = actions.add_parser(name, help=help_text)
            action.add_argument("agent")
            action.add_argument("--tenant", default="")
            if name == "train":
                _add_training_options(action)
            if name == "promote":
                action.add_argument("version", type=int, help="the version's number")
                action.add_argument("--reason", default="", help="why, where the gate was not passed")

    def handle(self, *args: Any, **options: Any) -> None:
        action: Callable[..., None] = getattr(self, f"_{options['action']}")
        try:
            if options["action"] in ("list", "sweep"):
                action()
            elif options["action"] == "erase":
                action(options["tenant"], options["customer"])
            else:
                action(get_agent(options["agent"], tenant=options["tenant"]), options)
        except FOR_PEOPLE as error:
            raise CommandError(str(error)) from error

    def _list(self) -> None:
        ensure_agents()
        for agent in Agent.objects.select_related("live_version"):
            run = agent.runs.first()
            live = f"v{agent.live_version.number}" if agent.live_version else "-"
            self.stdout.write(f"{agent}\t{run.status if run else '-'}\t{live}")

    def _sweep(self) -> None:
        from crm_agents.services.sweeping import sweep  # the worker's part: loads polars

        self.stdout.write(_("%(rows)s rows healed.") % {"rows": sweep()})

    def _erase(self, tenant: str, customer: str) -> None:
        rows = erase_customer(tenant, customer)
        self.stdout.write(_("Rows about this customer that are erased: %(rows)s.") % {"rows": rows})

    def _train(self, agent: Agent, options: dict[str, Any]) -> None:
        run = start_run(agent, config=dict(options["set"]), publish=not options["no_publish"])
        self.stdout.write(_("Run %(run)s is queued. %(notice)s") % {"run": run.pk, "notice": run.notice})
        if not options["wait"]:
            return
        try:
            run = follow(run, self.stdout)  # type: ignore[arg-type]  # OutputWrapper passes all on
        except KeyboardInterrupt:
            cancel_run(run)
            raise
        if run.status not in (RunStatus.SUCCEEDED, RunStatus.NOT_ENOUGH_DATA):
            raise CommandError(_("The run did not succeed."))

    def _status(self, agent: Agent, options: dict[str, Any]) -> None:
        for run in agent.runs.all()[:5]:
            self.stdout.write(f"{run.pk}  {minute(run.created_at)}  {run.status}  {run.error}")
        for version in agent.versions.all()[:5]:
            live = _("live") if version.pk == agent.live_version_id else ""
            self.stdout.write(f"v{version.number}  {version.verdict}  {live}")
            for sentence in verdict_sentences(version.verdict_reasons):
                self.stdout.write(f"    {sentence}")

    def _cancel(self, agent: Agent, options: dict[str, Any]) -> None:
        run = TrainingRun.objects.filter(agent=agent, status__in=ACTIVE_STATES).first()
        if run is None:
            raise CommandError(_("%(agent)s has no active run.") % {"agent": agent})
        cancel_run(run)
        self.stdout.write(_("Run %(run)s is being cancelled.") % {"run": run.pk})

    def _score(self, agent: Agent, options: dict[str, Any]) -> None:
        scoring = start_scoring(agent)
        self.stdout.write(_("Scoring %(scoring)s is queued.") % {"scoring": scoring.pk})

    def _promote(self, agent: Agent, options: dict[str, Any]) -> None:
        version = ModelVersion.objects.filter(agent=agent, number=options["version"]).first()
        if version is None:
            raise CommandError(f"{agent} has no version {options['version']}.")
        scoring = promote_version(version, override_reason=options["reason"])
        self._tell_live(scoring.published_at is not None, version)

    def _rollback(self, agent: Agent, options: dict[str, Any]) -> None:
        self._tell_live(True, roll_back(agent).version)

    def _tell_live(self, now: bool, version: ModelVersion) -> None:
        text = _("%(version)s is live.") if now else _("%(version)s goes live once it has scored everyone.")
        self.stdout.write(text % {"version": version})


def _add_training_options(action: ArgumentParser) -> None:
    action.add_argument(
        "--set", action="append", default=[], type=assignment, metavar="KEY=VALUE", help="e.g. epochs=3"
    )
    action.add_argument("--no-publish", action="store_true", help="keep the version, do not score with it")
    action.add_argument("--wait", action="store_true", help="show the progress until the scores are live")
