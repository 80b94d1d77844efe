"""Erasing everything that is derived from one customer. Worker's work or a person's: it reads Parquet files.

What can be done at once is: rows of tables, and files that nothing uses. Files in use by a run, a scoring or
a sweep are cleaned once that has ended, by the sweeper, which knows the erased by their digests.
"""

import logging
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from django.apps import apps
from django.db import transaction
from django.utils.translation import gettext as _

from crm_agents.models import (
    ACTIVE_STATES,
    ScoringRun,
    Sweep,
    SweepStatus,
    TrainingRun,
)
from crm_agents.models.audit import AuditAction
from crm_agents.services import audit
from crm_agents.services.agents import ensure_agents
from crm_agents.services.freshness import load_anew
from crm_agents.services.privacy.files import clean_files
from crm_agents.services.privacy.rows import (
    delete_refreshed,
    feedback_on,
    items_about,
    of_tenant,
    scores_of,
    take_out_of_sides,
)
from crm_agents.services.privacy.tainted import tainted_versions
from crm_agents.services.privacy.texts import ERASED, Scrubber, forget_answers, scrub_rows
from crm_agents.services.watching.alone import alone
from crm_data import conf
from crm_data.digests import ErasureKeyMissing
from crm_data.models import Customer, Erasure, Snapshot
from crm_data.selectors import find_customer
from crm_data.services.forgetting import clean_snapshot, snapshots_to_clean
from crm_data.services.suppression import delete_record, note_erasure
from crm_data.suppression import Suppressed, standing
from handoff.errors import HandoffError

logger = logging.getLogger(__name__)


@dataclass
class ErasureReport:
    """What was erased, and what is still to come. It holds nothing that names the customer."""

    rows: dict[str, int] = field(default_factory=dict)  # deleted, by table
    texts: dict[str, int] = field(default_factory=dict)  # rows whose texts were changed, by table
    files: dict[str, int] = field(default_factory=dict)  # rows taken out, by file
    logs: list[str] = field(default_factory=list)
    snapshots: list[str] = field(default_factory=list)  # folders that were cleaned
    waiting: list[str] = field(default_factory=list)  # what uses files that are still to be cleaned
    versions: list[str] = field(default_factory=list)  # trained on data that held an erased customer

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def rows_deleted(self) -> int:
        return sum(self.rows.values())

    def lines(self) -> list[str]:
        """Say what was done, a sentence each."""
        texts = sum(self.texts.values()) + len(self.logs)
        said = []
        if texts:
            said.append(_("Texts that named the customer and do not any more: %(count)s.") % {"count": texts})
        if self.files:
            figures = {"rows": sum(self.files.values()), "files": len(self.files)}
            said.append(_("Rows taken out of files: %(rows)s, in %(files)s files.") % figures)
        if self.snapshots:
            said.append(_("Snapshots cleaned: %(count)s.") % {"count": len(self.snapshots)})
        if self.waiting:
            text = _("Still in use, and cleaned by itself afterwards: %(names)s.")
            said.append(text % {"names": ", ".join(self.waiting)})
        if self.versions:
            text = _("Trained on data that held erased customers, so train anew: %(names)s.")
            said.append(text % {"names": ", ".join(self.versions)})
        return said


def erase(
    tenant: str, customer_id: str, *, user: audit.Actor = None, with_record: bool = False
) -> ErasureReport:
    """Erase what agents know of a customer, for good, and keep the customer from coming back.

    With `with_record`, the built-in tables' own row and interactions go too; a host deletes its own. It may
    be repeated, and does then what is left to do.
    """
    known = find_customer(customer_id, tenant=tenant)
    names = [known.name, known.email] if known else []
    report = ErasureReport()
    with transaction.atomic():
        repeated = standing(customer_id, tenant).erasure is not None
        note_erasure(tenant, customer_id, user=user)
        report.rows = _delete_rows(tenant, customer_id, user, repeated=repeated)
        scrubber = Scrubber(customer_id, names)
        report.texts = scrub_rows(scrubber)
        forgotten = forget_answers(scrubber)
        if forgotten:
            report.rows["idempotentrequest"] = forgotten
        if with_record:
            _forget_admin_log(customer_id)
            report.rows |= delete_record(customer_id)
    _clean(tenant, Scrubber(customer_id, names, Suppressed(tenant)), report)
    report.versions = [str(version) for version in tainted_versions(tenant)]
    return report


def finish_erasures() -> int:
    """Clean what was in use when customers were erased; return how many erasures are complete by it."""
    before = Erasure.objects.filter(pending=True).count()
    for tenant in _tenants_to_clean():
        try:
            _finish(tenant)
        except (HandoffError, OSError, ErasureKeyMissing):
            logger.exception("Tenant %r: erased customers are still in files; trying again.", tenant)
    return before - Erasure.objects.filter(pending=True).count()


def _finish(tenant: str) -> None:
    """Clean snapshots as they fall free, and all other files once, when the last work of then has ended."""
    active = _active(tenant)
    pending = Erasure.objects.filter(tenant=tenant, pending=True)
    if pending and not any(_overlapping(erasure, active) for erasure in pending):
        _clean(tenant, Scrubber(suppressed=Suppressed(tenant)), ErasureReport())
    else:
        _clean_snapshots(Suppressed(tenant), ErasureReport())


def busy_snapshots(tenant: str) -> set[int]:
    """Return the keys of the snapshots that a run, a scoring or a sweep uses now."""
    users = (
        TrainingRun.objects.filter(status__in=ACTIVE_STATES),
        ScoringRun.objects.filter(status__in=ACTIVE_STATES),
        Sweep.objects.filter(status=SweepStatus.RUNNING),
    )
    return {
        key
        for rows in users
        for key in rows.filter(agent__tenant=tenant, snapshot__isnull=False).values_list(
            "snapshot", flat=True
        )
    }


def _tenants_to_clean() -> list[str]:
    pending = Erasure.objects.filter(pending=True).values_list("tenant", flat=True)
    counts = Counter(Erasure.objects.values_list("tenant", flat=True))
    stale = [
        tenant
        for tenant, count in counts.items()
        if Snapshot.objects.filter(tenant=tenant, removed_at=None, erasures__lt=count).exists()
    ]
    return sorted({*pending, *stale})


def _delete_rows(tenant: str, customer_id: str, user: audit.Actor, *, repeated: bool) -> dict[str, int]:
    """Delete scores, feedback and labels; each agent's trail keeps how many, and not of whom.

    An erasure of somebody of whom nothing is known is written down too, unless it is `repeated`.
    """
    ensure_agents(tenant)
    total: Counter[str] = Counter()
    by_agent: dict[int, Counter[str]] = {}
    for agent, rows in scores_of(tenant, customer_id):
        own = by_agent.setdefault(agent.pk, Counter())
        own[rows.model._meta.model_name or ""] += rows.delete()[0]
        own.update(take_out_of_sides(agent, [customer_id]))
    for key, count in delete_refreshed(tenant, customer_id).items():
        by_agent.setdefault(key, Counter())["freshscore"] += count
    for feedback in feedback_on(tenant, customer_id):
        by_agent.setdefault(feedback.agent_id, Counter())["feedback"] += feedback.delete()[0]
    for label, count in items_about(tenant, customer_id).delete()[1].items():
        total[label.rpartition(".")[2].lower()] += count
    concerned = [agent for agent in of_tenant(tenant) if any(by_agent[agent.pk].values())]
    for agent in concerned or ([] if repeated else of_tenant(tenant)):
        detail = {name: count for name, count in sorted(by_agent[agent.pk].items()) if count}
        audit.record(agent, AuditAction.CUSTOMERS_ERASED, agent, user=user, detail=detail)
    for counts in by_agent.values():
        total.update(counts)
    return {name: count for name, count in sorted(total.items()) if count}


def _clean(tenant: str, scrubber: Scrubber, report: ErasureReport) -> None:
    """Clean snapshots and files that nothing uses, and close the erasures that nothing is left of."""
    suppressed = Suppressed(tenant)
    pending = list(Erasure.objects.filter(tenant=tenant, pending=True))
    active = _active(tenant)
    left = _clean_snapshots(suppressed, report)
    cleaned = clean_files(suppressed, scrubber, busy={str(work.pk) for work in active})
    report.files, report.logs = cleaned.rows, cleaned.texts
    report.waiting = [f"{type(work).__name__} {work.pk}" for work in active]
    report.waiting += [snapshot.folder for snapshot in left]
    done = [erasure.pk for erasure in pending if not left and not _overlapping(erasure, active)]
    Erasure.objects.filter(pk__in=done).update(pending=False)


def _clean_snapshots(suppressed: Suppressed, report: ErasureReport) -> list[Snapshot]:
    """Clean the snapshots that nothing uses; return those that are left. One process at a time does it."""
    with alone(conf.root() / "erasing") as first:
        if first:
            in_use = busy_snapshots(suppressed.tenant)
            for snapshot in snapshots_to_clean(suppressed.tenant):
                if snapshot.pk not in in_use:
                    _clean_snapshot(snapshot, suppressed, report)
    return snapshots_to_clean(suppressed.tenant)


def _clean_snapshot(snapshot: Snapshot, suppressed: Suppressed, report: ErasureReport) -> None:
    try:
        if clean_snapshot(snapshot, suppressed):
            report.snapshots.append(snapshot.folder)
            load_anew()
    except HandoffError:
        logger.warning("Snapshot %s cannot be read, so nothing was taken out of it.", snapshot.folder)
        if not (conf.root() / snapshot.folder).exists():
            Snapshot.objects.filter(pk=snapshot.pk).update(erasures=suppressed.erasures)


def _overlapping(erasure: Erasure, active: list[Any]) -> bool:
    """Whether work that began before the erasure is still under way, and may write what it read."""
    return any(work.created_at <= erasure.at for work in active)


def _active(tenant: str) -> list[Any]:
    """Return the work under way, which may still read or write what names an erased customer."""
    runs = TrainingRun.objects.filter(agent__tenant=tenant, status__in=ACTIVE_STATES)
    scorings = ScoringRun.objects.filter(agent__tenant=tenant, status__in=ACTIVE_STATES)
    return [*runs.only("pk", "created_at"), *scorings.only("pk", "created_at")]


def _forget_admin_log(customer_id: str) -> None:
    """Take the names out of what Django's admin noted about the built-in record."""
    if not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.models import LogEntry
    from django.contrib.contenttypes.models import ContentType

    keys = [str(key) for key in Customer.objects.filter(code=customer_id).values_list("pk", flat=True)]
    kind = ContentType.objects.get_for_model(Customer)
    LogEntry.objects.filter(content_type=kind, object_id__in=keys).update(
        object_repr=ERASED, change_message=""
    )
