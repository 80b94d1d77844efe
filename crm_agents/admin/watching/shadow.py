"""The shadow of an agent: the button that begins it, and its scores beside the live ones."""

import json
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from crm_agents.admin.badges import status_badge
from crm_agents.admin.base import AgentsAdmin, require
from crm_agents.admin.customers import customer_url
from crm_agents.folders import changed_file
from crm_agents.models import Agent, ModelVersion, ScoringRun
from crm_agents.plots import render
from crm_agents.plots.watching import side_by_side
from crm_agents.recipes import Text, get_recipe
from crm_agents.selectors import shadow_scoring
from crm_agents.services.scoring import NothingToScore
from crm_agents.services.shadowing import IsLive, NoShadow, end_shadow, shadow_version
from crm_agents.words import number, percent
from crm_data.selectors import customer_names, get_source, visible_customer_ids
from handoff.errors import HandoffError

PROMOTE = "crm_agents.promote_version"
SHOWN = 25  # customers whom the two see most differently


def shadow_view(admin: AgentsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show the shadow beside what is live; for another version, ask, then make it the shadow."""
    require(request, PROMOTE)
    version: ModelVersion = admin.found(request, pk)
    if request.method == "POST":
        return _begin(admin, request, version)
    if version.agent.shadow_version_id != version.pk:
        return _ask(admin, request, version)
    return _show(admin, request, version)


def end_view(admin: AgentsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """End the shadow; its scores are deleted with the next clearing up."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    require(request, PROMOTE)
    version: ModelVersion = admin.found(request, pk)
    try:
        if version.agent.shadow_version_id != version.pk:
            raise NoShadow(version.agent)
        end_shadow(version.agent, user=request.user)
    except NoShadow as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, _("%s is scored in the shadow no more.") % version)
    return HttpResponseRedirect(admin.url_of(version))


def _begin(admin: AgentsAdmin, request: HttpRequest, version: ModelVersion) -> HttpResponse:
    try:
        scoring = shadow_version(version, user=request.user)
    except (IsLive, NothingToScore, HandoffError) as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(admin.url_of(version))
    messages.success(
        request, _("%s is scored in the shadow from now on; readers see nothing of it.") % version
    )
    return HttpResponseRedirect(admin.url_of(scoring))


def _ask(admin: AgentsAdmin, request: HttpRequest, version: ModelVersion) -> HttpResponse:
    consequences = [
        _("Every customer is scored with it now, and whenever the live version scores."),
        _("Nobody is shown its scores; this page compares them with the live ones."),
        _("Promoting it later shows the scores that it has, at once."),
    ]
    earlier = version.agent.shadow_version
    if earlier is not None:
        consequences.append(_("It takes the place of %s in the shadow.") % earlier)
    return admin.page(
        request,
        "crm_agents/confirm.html",
        title=_("Score with %s in the shadow?") % version,
        crumbs=[(str(version), admin.url_of(version))],
        consequences=consequences,
        harmless=True,
        button=_("Begin"),
        back=admin.url_of(version),
    )


def _show(admin: AgentsAdmin, request: HttpRequest, version: ModelVersion) -> HttpResponse:
    agent = Agent.objects.select_related("live_version", "shadow_version").get(pk=version.agent_id)
    scoring = shadow_scoring(agent)
    newest = agent.scorings.filter(shadow=True, version=version).first()
    facts = scoring.beside_live if scoring else {}
    return admin.page(
        request,
        "crm_agents/shadow.html",
        title=_("%s in the shadow") % version,
        crumbs=[(str(version), admin.url_of(version))],
        scoring=scoring,
        scoring_url=admin.url_of(newest) if newest else "",
        status=status_badge(newest) if newest else "",
        figures=_figures(facts),
        plot=_plot(facts, version),
        matrix=_matrix(agent, facts),
        changed=_changed(admin, request, scoring) if scoring else [],
        live=facts.get("live_version"),
        version=version,
        promote_url=admin.url("crm_agents_modelversion_promote", version.pk),
        end_url=admin.url("crm_agents_modelversion_shadow_end", version.pk),
    )


def _figures(facts: dict[str, Any]) -> list[tuple[str, str]]:
    if not facts:
        return []
    rows = [(_("Customers scored by both"), number(facts["customers"]))]
    if facts.get("only_live") or facts.get("only_shadow"):
        rows.append((_("Scored by one only"), number(facts["only_live"] + facts["only_shadow"])))
    if facts.get("rank_correlation") is not None:
        rows.append((_("Correlation of the ranks (Spearman)"), f"{facts['rank_correlation']:.3f}"))
    if "top_shared" in facts:
        rows.append((_("Shared of the top tenth"), percent(facts["top_shared"])))
    if "list_shared" in facts:
        rows.append((_("Shared of the ten first products, on average"), percent(facts["list_shared"])))
        rows.append((_("The same product first"), percent(facts["same_first"])))
    if facts.get("tiers"):
        moved = sum(count for live, shadow, count in facts["tiers"] if live != shadow)
        rows.append((_("Customers whose tier would change"), number(moved)))
    return rows


def _plot(facts: dict[str, Any], version: ModelVersion) -> SafeString | str:
    found = facts.get("histogram")
    if not found:
        return ""
    live, shadow = found["live"], found["shadow"]
    plot = side_by_side(
        "beside-live",
        _("Scores of the two"),
        found["edges"],
        ([each / (sum(live) or 1) for each in live], [each / (sum(shadow) or 1) for each in shadow]),
        (_("Live, v%s") % facts["live_version"], _("Shadow, v%s") % version.number),
        note=_("Share of the customers by score."),
    )
    return render(plot) if plot else ""


def _matrix(agent: Agent, facts: dict[str, Any]) -> dict[str, Any]:
    """Customers by tier: rows by the live version, columns by the shadow."""
    counted = {(live, shadow): count for live, shadow, count in facts.get("tiers", [])}
    if not counted:
        return {}
    labels = get_recipe(agent.name).tiers
    used = [name for name in labels if any(name in pair for pair in counted)]
    rows = [(labels[row], [_cell(counted, row, column) for column in used]) for row in used]
    return {"heads": [labels[name] for name in used], "rows": rows}


def _cell(counted: dict[tuple[str, str], int], row: str, column: str) -> tuple[str, bool]:
    return number(counted.get((row, column), 0)), row == column


def _changed(admin: AgentsAdmin, request: HttpRequest, scoring: ScoringRun) -> list[dict[str, Any]]:
    """The customers whom the two see most differently, as far as this user may see them."""
    entries = _stored(scoring)
    tenant = scoring.agent.tenant
    names = customer_names([each["customer"] for each in entries], tenant=tenant)
    visible = visible_customer_ids(request.user, tenant=tenant)
    allowed = set(names)
    if visible is not None:
        with get_source().scope(tenant):
            allowed = {str(row["crm_id"]) for row in visible.filter(crm_id__in=list(names))}
    labels = get_recipe(scoring.agent.name).tiers
    return [
        {
            "name": names[each["customer"]],
            "url": customer_url(admin.admin_site, each["customer"], tenant),
            "live": _said(each, "", labels),
            "shadow": _said(each, "_shadow", labels),
            "shared": percent(each["shared"]) if "shared" in each else "",
        }
        for each in entries
        if each["customer"] in allowed
    ][:SHOWN]


def _stored(scoring: ScoringRun) -> Sequence[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(changed_file(scoring).read_text())["customers"]
    except (OSError, ValueError, KeyError):
        return []
    return found


def _said(entry: dict[str, Any], suffix: str, labels: Any) -> str:
    score, tier = entry[f"score{suffix}"], entry.get(f"tier{suffix}", "")
    written = f"{score:.3f}" if score is not None else "–"
    label: Text = labels.get(tier, "")
    return f"{written} ({label})" if label else written
