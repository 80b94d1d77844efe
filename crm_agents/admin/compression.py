"""Compressing a version: the form that starts the run, and what came of it beside what there was."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.base import AgentsAdmin, require
from crm_agents.admin.forms import Setting
from crm_agents.admin.tools import Link
from crm_agents.folders import artifact_folder
from crm_agents.models import ModelVersion
from crm_agents.services.runs import RunAlreadyActive, start_run
from handoff.config import LIMITS, TrainingConfig
from handoff.errors import HandoffError

MANAGE_RUNS = "crm_agents.manage_runs"
EXPORTS = (
    ("fp32", gettext_lazy("32 bits (as trained)")),
    ("bf16", gettext_lazy("16 bits (bf16)")),
    ("int8", gettext_lazy("8 bits (int8)")),
)


class CompressForm(forms.Form):
    """What is to be taken out of a version, how long it learns again, and how it is stored."""

    prune_channels = forms.FloatField(
        label=gettext_lazy("Units to remove"),
        help_text=gettext_lazy("Share of each layer's units or channels, from 0 to below 1."),
        initial=0.5,
    )
    prune_heads = forms.FloatField(
        label=gettext_lazy("Attention heads to remove"),
        help_text=gettext_lazy("Share of the heads; 0 for other backbones than the transformer."),
        initial=0,
    )
    prune_layers = forms.IntegerField(
        label=gettext_lazy("Layers to remove"), help_text=gettext_lazy("At least one stays."), initial=0
    )
    epochs = forms.IntegerField(
        label=gettext_lazy("Recovery epochs"),
        help_text=gettext_lazy("Passes over the data in which the smaller model learns again."),
        initial=5,
    )
    export = forms.ChoiceField(
        label=gettext_lazy("Stored weights"),
        choices=EXPORTS,
        initial="int8",
        help_text=gettext_lazy("Fewer bits make the file smaller; the model computes as before."),
    )
    publish = forms.BooleanField(
        label=gettext_lazy("Publish when the gate is passed"), required=False, initial=False
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("prune_channels", "prune_heads", "prune_layers", "epochs"):
            value = cleaned.get(name)
            if value is not None:
                self._check(name, value)
        cuts = [cleaned.get(name) for name in ("prune_channels", "prune_heads", "prune_layers")]
        if not self.errors and not any(cuts) and cleaned["export"] == "fp32":
            raise forms.ValidationError(
                _("Nothing would become smaller: remove something, or store fewer bits.")
            )
        return cleaned

    def _check(self, name: str, value: float) -> None:
        try:
            Setting(str(self.fields[name].label), "").check(value, LIMITS[name])
        except forms.ValidationError as error:
            self.add_error(name, error)


class CompressionTool:
    """ "Compress" on a version's page."""

    def urls(self, admin: AgentsAdmin) -> list[URLPattern]:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            return compress_view(admin, request, pk)

        wrapped = admin.admin_site.admin_view(view)
        return [path("<int:pk>/compress/", wrapped, name="crm_agents_modelversion_compress")]

    def links(self, admin: AgentsAdmin, request: HttpRequest, row: ModelVersion) -> list[Link]:
        if not request.user.has_perm(MANAGE_RUNS):
            return []
        return [Link(_("Compress"), admin.url("crm_agents_modelversion_compress", row.pk))]


def compress_view(admin: AgentsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show the form, or start the run that makes a smaller version of this one."""
    require(request, MANAGE_RUNS)
    version: ModelVersion = admin.found(request, pk)
    form = CompressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        answer = _start(admin, request, version, form)
        if answer is not None:
            return answer
    return admin.page(
        request,
        "crm_agents/confirm.html",
        title=_("Compress %s") % version,
        crumbs=[(str(version), admin.url_of(version))],
        consequences=[
            _("A run takes out what the model needs least, lets it learn again, and tests it anew."),
            _("The result is a new version with its own gate; this one stays as it is."),
        ],
        form=form,
        harmless=True,
        button=_("Start"),
        back=admin.url_of(version),
    )


def _start(
    admin: AgentsAdmin, request: HttpRequest, version: ModelVersion, form: CompressForm
) -> HttpResponse | None:
    """Start the run and go to its page; None where the form has to be shown again."""
    asked = dict(form.cleaned_data)
    publish = asked.pop("publish")
    try:
        run = start_run(
            version.agent,
            user=request.user,
            config={**_same_model(version), **asked, "start": str(version.pk), "pretrain_epochs": 0},
            publish=publish,
        )
    except RunAlreadyActive as error:
        messages.warning(request, str(error))
        return HttpResponseRedirect(admin.url_of(error.run))
    except HandoffError as error:
        name = str(error).split(" ", 1)[0]
        form.add_error(name if name in form.fields else None, str(error))
        return None
    messages.success(request, _("The run was started."))
    return HttpResponseRedirect(admin.url_of(run))


def _same_model(version: ModelVersion) -> dict[str, Any]:
    """Return the settings that say what the version is, which a run for another model would not share."""
    config = TrainingConfig.read(artifact_folder(version))
    names = ("backbone", "width", "layers", "heads", "max_visits", "dropout", "horizon_days", "active_days")
    return {name: getattr(config, name) for name in names}
