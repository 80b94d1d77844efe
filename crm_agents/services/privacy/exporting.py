"""Everything that is known of one customer, as JSON values: what a person may ask to be shown."""

import io
import json
import zipfile
from typing import Any

import polars as pl
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from crm_agents.models import AuditEntry, ScoreRow
from crm_agents.models.audit import AuditAction
from crm_agents.recipes import get_recipe, providers
from crm_agents.services import audit
from crm_agents.services.privacy.files import rows_about
from crm_agents.services.privacy.rows import (
    feedback_on,
    items_about,
    of_tenant,
    refreshed_of,
    scores_of,
    sides_of,
)
from crm_agents.services.privacy.texts import Scrubber, entries_naming
from crm_data.models import Snapshot
from crm_data.selectors import find_customer, snapshot_folder
from crm_data.suppression import standing
from handoff.dataset import Dataset, shard_of
from handoff.errors import HandoffError


def export(tenant: str, customer_id: str, *, user: audit.Actor = None) -> dict[str, Any]:
    """Return profile, scores, reasons, feedback, labels, events and audit entries; the export is audited."""
    for agent in of_tenant(tenant):
        audit.record(agent, AuditAction.CUSTOMER_EXPORTED, customer_id, user=user)
    record = find_customer(customer_id, tenant=tenant)
    known = standing(customer_id, tenant)
    names = [record.name, record.email] if record else []
    found: dict[str, Any] = plain(
        {
            "customer_id": customer_id,
            "tenant": tenant,
            "exported_at": timezone.now(),
            "record": vars(record) if record else None,
            "privacy": {
                "opted_out_at": known.opt_out.at if known.opt_out else None,
                "opt_out_reason": known.opt_out.reason if known.opt_out else "",
                "erased_at": known.erasure.at if known.erasure else None,
            },
            "profile": _profile(tenant, customer_id) if record and not known.left_out else {},
            "answers": _answers(tenant, customer_id) if record else {},
            "scores": _scores(tenant, customer_id),
            "refreshed_scores": _refreshed(tenant, customer_id),
            "beside_scores": _beside_scores(tenant, customer_id),
            "feedback": _feedback(tenant, customer_id),
            "labels": _labels(tenant, customer_id),
            "snapshot": _snapshot(tenant, customer_id),
            "files": rows_about(tenant, customer_id),
            "audit": _audit(tenant, Scrubber(customer_id, names)),
        }
    )
    return found


def as_zip(exported: dict[str, Any]) -> bytes:
    """Pack an export into a ZIP file that holds one readable JSON file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("customer.json", json.dumps(exported, indent=2, ensure_ascii=False))
    return packed.getvalue()


def plain(value: Any) -> Any:
    """Return a value as JSON has it: times as text, tuples as lists."""
    return json.loads(json.dumps(value, cls=DjangoJSONEncoder))


def _profile(tenant: str, customer_id: str) -> dict[str, Any]:
    return {provider.name: provider.customer_summary(tenant, customer_id) for provider in providers()}


def _answers(tenant: str, customer_id: str) -> dict[str, Any]:
    """Return what each agent says now, its reasons in words."""
    return {
        agent.name: get_recipe(agent.name).customer_summary(agent, customer_id) for agent in of_tenant(tenant)
    }


def _scores(tenant: str, customer_id: str) -> list[dict[str, Any]]:
    found = []
    for agent, rows in scores_of(tenant, customer_id):
        for row in rows.select_related("scoring__version").order_by("-scoring__created_at"):
            found.append(_score(agent.name, row, live=row.scoring_id == agent.live_scoring_id))
    return found


def _refreshed(tenant: str, customer_id: str) -> list[dict[str, Any]]:
    rows = refreshed_of(tenant, customer_id).select_related("agent", "scoring__version")
    return [
        {
            "agent": row.agent.name,
            "version": row.scoring.version.number,
            "as_of": row.as_of,
            "refreshed_at": row.made_at,
            "live": row.scoring_id == row.agent.live_scoring_id,
            "score": row.score,
            "payload": row.payload,
        }
        for row in rows.order_by("pk")
    ]


def _score(agent: str, row: ScoreRow, *, live: bool) -> dict[str, Any]:
    return {
        "agent": agent,
        "version": row.scoring.version.number,
        "as_of": row.scoring.as_of,
        "live": live,
        "shadow": row.scoring.shadow,
        "score": row.score,
        "payload": row.payload,
    }


def _beside_scores(tenant: str, customer_id: str) -> list[dict[str, Any]]:
    return [
        {
            "agent": scoring.agent.name,
            "version": scoring.version.number,
            "as_of": scoring.as_of,
            "live": scoring.pk == scoring.agent.live_scoring_id,
            **entry,
        }
        for scoring, entry in sides_of(tenant, customer_id)
    ]


def _feedback(tenant: str, customer_id: str) -> list[dict[str, Any]]:
    return [
        {
            "agent": row.agent.name,
            "item": row.item,
            "verdict": row.verdict,
            "reason": row.reason,
            "by": _name(row.user),
            "at": row.at,
        }
        for row in feedback_on(tenant, customer_id).select_related("agent", "user").order_by("pk")
    ]


def _labels(tenant: str, customer_id: str) -> list[dict[str, Any]]:
    items = items_about(tenant, customer_id).select_related("label_set__agent", "settled_by")
    return [
        {
            "agent": item.label_set.agent.name,
            "label_set": item.label_set.name,
            "question": item.label_set.question,
            "key": item.key,
            "at": item.at,
            "text": item.text,
            "status": item.status,
            "label": item.label,
            "probabilities": item.probabilities,
            "answers": [
                {
                    "kind": said.kind,
                    "label": said.label,
                    "reason": said.reason,
                    "by": _name(said.user),
                    "at": said.at,
                }
                for said in item.annotations.all()
            ],
        }
        for item in items.prefetch_related("annotations__user").order_by("pk")
    ]


def _snapshot(tenant: str, customer_id: str) -> dict[str, Any] | None:
    """Return what the newest snapshot holds of the customer: what agents learn from and score."""
    snapshot = Snapshot.objects.filter(tenant=tenant, removed_at=None).order_by("-id").first()
    if snapshot is None:
        return None
    mine = pl.col("customer") == customer_id
    try:
        data = Dataset.open(snapshot_folder(snapshot))
        events = data.events(shard_of(customer_id, data.manifest.shards)).filter(mine).collect()
        customer = data.customers().filter(mine).collect()
        labels = data.labels().filter(mine).collect()
    except (HandoffError, OSError, pl.exceptions.PolarsError) as error:
        return {"watermark": snapshot.watermark, "error": str(error)}
    return {
        "watermark": snapshot.watermark,
        "customer": next(customer.iter_rows(named=True), None),
        "events": events.rows(named=True),
        "labels": labels.rows(named=True),
    }


def _audit(tenant: str, scrubber: Scrubber) -> list[dict[str, Any]]:
    entries: list[AuditEntry] = entries_naming(tenant, scrubber)
    return [
        {
            "at": entry.at,
            "agent": entry.agent.name,
            "action": entry.action,
            "subject": entry.subject,
            "detail": entry.detail,
            "by": _name(entry.user),
        }
        for entry in entries
    ]


def _name(user: Any) -> str:
    return user.get_username() if user else ""
