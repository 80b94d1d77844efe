"""Beginning and ending an experiment: a person's decision about what readers see."""

import datetime as dt
import secrets
from functools import partial

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm_agents.arms import still_holds
from crm_agents.models import Agent, EndedFor, Experiment, ExperimentKind, Treatment
from crm_agents.models.audit import AuditAction
from crm_agents.recipes import get_recipe
from crm_agents.selectors import shadow_scoring
from crm_agents.services import audit
from crm_agents.services.runs import planned_config
from crm_agents.services.waking import ask
from crm_data.clock import minute

TASK = "crm_agents.tasks.measure_experiment"
SHARES = (0.01, 0.5)
DAYS = (1, 730)
LATE = dt.timedelta(days=7)


class BadExperiment(ValueError):
    """A value that an experiment cannot have; `field` names it."""

    def __init__(self, field: str, value: object, message: str) -> None:
        super().__init__(message)
        self.field, self.value = field, value


class CannotExperiment(Exception):
    """The agent is not in a state to experiment with; the message says what is missing."""


class ExperimentAlreadyRunning(Exception):
    """An experiment of this kind goes on; it is `experiment`."""

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(
            _("An experiment of this kind goes on already, since %(at)s. Stop it first.")
            % {"at": minute(experiment.started_at)}
        )
        self.experiment = experiment


class ExperimentHasEnded(Exception):
    """It ended before."""

    def __init__(self, experiment: Experiment) -> None:
        at = minute(experiment.ended_at) if experiment.ended_at else ""
        super().__init__(_("This experiment ended on %(at)s already.") % {"at": at})


def start_experiment(
    agent: Agent,
    *,
    kind: str = ExperimentKind.CONTROL,
    share: float = 0.1,
    treatment: str = "",
    horizon_days: int | None = None,
    user: audit.Actor = None,
) -> Experiment:
    """Draw the arms and show each its own from now on; a worker measures what comes of it.

    `treatment` is left empty for what the agent offers best, and for two versions. Raises BadExperiment,
    CannotExperiment, ExperimentAlreadyRunning, and HandoffError for an agent whose settings are broken.
    """
    treatment = _checked(agent, kind, share, treatment)
    days = planned_config(agent, {}).horizon_days if horizon_days is None else horizon_days
    if not DAYS[0] <= days <= DAYS[1]:
        text = _("%(value)s days are not possible; give %(low)s to %(high)s.")
        words = text % {"value": days, "low": DAYS[0], "high": DAYS[1]}
        raise BadExperiment("horizon_days", days, words)
    try:
        with transaction.atomic():
            agent = Agent.objects.select_for_update().get(pk=agent.pk)
            experiment = Experiment(
                agent=agent,
                kind=kind,
                share=share,
                treatment=treatment,
                horizon_days=days,
                salt=secrets.token_hex(16),
                started_by=audit.known(user),
            )
            _take_part(experiment)
            experiment.save(force_insert=True)
            facts = {"experiment": experiment.pk, "kind": kind, "share": share, "days": days}
            audit.record(agent, AuditAction.EXPERIMENT_STARTED, experiment, user=user, detail=facts)
    except IntegrityError as error:
        present = Experiment.objects.filter(agent=agent, kind=kind, ended_at=None).first()
        if present is None:
            raise
        raise ExperimentAlreadyRunning(present) from error
    send(experiment)
    return experiment


def stop_experiment(experiment: Experiment, *, user: audit.Actor = None) -> Experiment:
    """Show everybody the same again, at once. Raises ExperimentHasEnded."""
    ended = end_experiment(experiment, EndedFor.STOPPED, user=user)
    if ended is None:
        experiment.refresh_from_db()
        raise ExperimentHasEnded(experiment)
    send(ended)
    return ended


def end_experiment(
    experiment: Experiment, why: EndedFor, *, user: audit.Actor = None, now: dt.datetime | None = None
) -> Experiment | None:
    """End an experiment for a reason; None where it had ended before."""
    with transaction.atomic():
        found = Experiment.objects.select_for_update().select_related("agent").get(pk=experiment.pk)
        if found.ended_at is not None:
            return None
        found.ended_at, found.ended_for = now or timezone.now(), why
        found.ended_by = audit.known(user)
        found.save(update_fields=["ended_at", "ended_for", "ended_by"])
        detail = {"experiment": found.pk, "why": str(why)}
        audit.record(found.agent, AuditAction.EXPERIMENT_ENDED, found, user=user, detail=detail)
    return found


def end_what_is_over(agent: Agent, *, now: dt.datetime) -> int:
    """End the agent's experiments whose days are over or whose versions have changed; return how many."""
    ended = 0
    for experiment in Experiment.objects.filter(agent=agent, ended_at=None).select_related("agent"):
        over = experiment.started_at + dt.timedelta(days=experiment.horizon_days)
        if over <= now:
            ended += end_experiment(experiment, EndedFor.OVER, now=over) is not None
        elif not still_holds(experiment, agent):
            ended += end_experiment(experiment, EndedFor.CHANGED, now=now) is not None
    return ended


def is_measured(experiment: Experiment) -> bool:
    """Whether it still is: sales reach a CRM late, so it is for some days after its end."""
    return experiment.ended_at is None or experiment.ended_at > timezone.now() - LATE


def send(experiment: Experiment) -> None:
    """Have a worker measure it, once the transaction is committed; the round does so too if this is lost."""
    transaction.on_commit(partial(ask, TASK, str(experiment.pk)))


def treatments(agent: Agent) -> list[str]:
    """Return what a control group of this agent may be shown, the default first."""
    offers = get_recipe(agent.name).offers_popularity
    return [Treatment.POPULARITY, Treatment.NOTHING] if offers else [Treatment.NOTHING]


def _checked(agent: Agent, kind: str, share: float, treatment: str) -> str:
    """Return the treatment. Raises BadExperiment."""
    if kind not in ExperimentKind.values:
        text = _("%(value)s is no kind of experiment; take %(known)s.")
        words = {"value": kind, "known": ", ".join(ExperimentKind.values)}
        raise BadExperiment("kind", kind, text % words)
    if not SHARES[0] <= share <= SHARES[1]:  # false for NaN too
        text = _("A share of %(value)s is not possible; give %(low)s to %(high)s.")
        raise BadExperiment("share", share, text % {"value": share, "low": SHARES[0], "high": SHARES[1]})
    known = treatments(agent) if kind == ExperimentKind.CONTROL else [""]
    if treatment and treatment not in known:
        text = _("The second arm of this experiment cannot be shown “%(value)s”; take %(known)s.")
        offered = ", ".join(known).strip() or _("nothing: leave it out")
        raise BadExperiment("treatment", treatment, text % {"value": treatment, "known": offered})
    return treatment or known[0]


def _take_part(experiment: Experiment) -> None:
    """Note the versions and scores that the experiment begins with. Raises CannotExperiment."""
    agent = experiment.agent
    if agent.live_scoring_id is None:
        text = _("%(agent)s has nothing live, so there is nothing whose effect could be told. Promote first.")
        raise CannotExperiment(text % {"agent": agent})
    experiment.version_id, experiment.scoring_id = agent.live_version_id, agent.live_scoring_id
    if experiment.kind == ExperimentKind.AB:
        rival = shadow_scoring(agent)
        if rival is None:
            text = _(
                "%(agent)s has no version in the shadow with complete scores. Score version B in the shadow "
                "first, and wait until it has scored everybody."
            )
            raise CannotExperiment(text % {"agent": agent})
        experiment.rival_id, experiment.rival_scoring_id = rival.version_id, rival.pk
