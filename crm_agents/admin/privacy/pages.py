"""Opting out and in, export and erasing, reached from a customer's page; and an overview of all of it.

<site>:crm_agents_privacy                      who opted out, what was erased, which versions to train anew
<site>:crm_agents_customer_privacy   (id)      what may be done for one customer
<site>:crm_agents_customer_export    (id)      a ZIP file of everything known
"""

import re
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.customers import CustomerView, customer_url
from crm_agents.services.privacy.opting import LONGEST_REASON, opt_in, opt_out
from crm_agents.services.privacy.tainted import tainted_versions, untold_versions
from crm_data.builtin import BuiltInSource
from crm_data.models import Customer, Erasure, OptOut
from crm_data.selectors import CustomerRecord, get_source
from crm_data.suppression import standing

MANAGE_PRIVACY = "crm_agents.manage_privacy"
DELETE_CUSTOMER = "crm_data.delete_customer"
SHOWN = 100


def privacy_urls(model_admin: "ModelAdmin[Any]") -> list[URLPattern]:
    """Return the privacy pages for the site of `model_admin`; they belong before the customers' own."""
    site = model_admin.admin_site
    own = "customers/<path:customer_id>"
    return [
        path("privacy/", site.admin_view(Overview.as_view(site=site)), name="crm_agents_privacy"),
        path(
            f"{own}/privacy/",
            site.admin_view(CustomerPrivacy.as_view(site=site)),
            name="crm_agents_customer_privacy",
        ),
        path(
            f"{own}/export/",
            site.admin_view(CustomerExport.as_view(site=site)),
            name="crm_agents_customer_export",
        ),
    ]


class PrivacyView(CustomerView):
    """A page for those who may manage privacy, and no one else."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not request.user.has_perm(MANAGE_PRIVACY):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)


class Overview(PrivacyView):
    """Everybody who opted out, the erasures, and the versions that learnt from who was erased."""

    def get(self, request: HttpRequest) -> HttpResponse:
        tenant = self.tenant(request.GET)
        opted_out = OptOut.objects.filter(tenant=tenant).select_related("by")[: SHOWN + 1]
        return self.page(
            "crm_agents/privacy/overview.html",
            _("Privacy"),
            crumbs=[(_("Customers"), reverse(f"{self.site.name}:crm_agents_customers"))],
            opted_out=[(row, customer_url(self.site, row.customer_id, tenant)) for row in opted_out[:SHOWN]],
            more=len(opted_out) > SHOWN,
            shown=SHOWN,
            erasures=Erasure.objects.filter(tenant=tenant).select_related("by")[:SHOWN],
            tainted=[(version, self._version_url(version)) for version in tainted_versions(tenant)],
            untold=[(version, self._version_url(version)) for version in untold_versions(tenant)[:SHOWN]],
        )

    def _version_url(self, version: Any) -> str:
        return reverse(f"{self.site.name}:crm_agents_modelversion_change", args=[version.pk])


class OptOutForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        required=False,
        max_length=LONGEST_REASON,
        help_text=gettext_lazy("Such as the letter that asked for it. It is kept with the opt-out."),
    )


class EraseForm(forms.Form):
    """The customer's number typed in once more, so that nobody is erased by a slip of the mouse."""

    number = forms.CharField(
        label=gettext_lazy("Customer's number"),
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": gettext_lazy("Type the customer's number to confirm.")},
    )
    with_record = forms.BooleanField(
        label=gettext_lazy("Delete the record and the interactions in the CRM too"), required=False
    )

    def __init__(self, *args: Any, customer: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.customer = customer

    def clean_number(self) -> str:
        number: str = self.cleaned_data["number"]
        if number != self.customer:
            text = _("%(number)s is not this customer's number; type %(right)s.")
            raise forms.ValidationError(text % {"number": number, "right": self.customer})
        return number


class CustomerPrivacy(PrivacyView):
    """The steps for one customer: each its own form on one page."""

    def get(self, request: HttpRequest, customer_id: str) -> HttpResponse:
        return self._show(request, self.customer(customer_id, self.tenant(request.GET)))

    def post(self, request: HttpRequest, customer_id: str) -> HttpResponse:
        tenant = self.tenant(request.POST)
        customer = self.customer(customer_id, tenant)
        steps = {"opt_out": self._opt_out, "opt_in": self._opt_in, "erase": self._erase}
        step = steps.get(request.POST.get("step", ""))
        if step is None:
            return HttpResponseRedirect(self._here(customer))
        return step(request, customer)

    def _opt_out(self, request: HttpRequest, customer: CustomerRecord) -> HttpResponse:
        form = OptOutForm(request.POST)
        if not form.is_valid():
            return self._show(request, customer, opt_out_form=form)
        opt_out(customer.tenant, customer.id, user=request.user, reason=form.cleaned_data["reason"])
        messages.success(request, _("%s is opted out of profiling.") % (customer.name or customer.id))
        return HttpResponseRedirect(self._here(customer))

    def _opt_in(self, request: HttpRequest, customer: CustomerRecord) -> HttpResponse:
        opt_in(customer.tenant, customer.id, user=request.user)
        messages.success(
            request, _("%s takes part again from the next snapshot on.") % (customer.name or customer.id)
        )
        return HttpResponseRedirect(self._here(customer))

    def _erase(self, request: HttpRequest, customer: CustomerRecord) -> HttpResponse:
        form = EraseForm(request.POST, customer=customer.id)
        if not form.is_valid():
            return self._show(request, customer, erase_form=form)
        with_record = form.cleaned_data["with_record"]
        if with_record and not may_delete_record(request):
            raise PermissionDenied
        from crm_agents.services.privacy.erasing import erase  # reads Parquet files

        report = erase(customer.tenant, customer.id, user=request.user, with_record=with_record)
        rows = _("Rows about this customer that are erased: %(rows)s.") % {"rows": report.rows_deleted}
        for line in (rows, *report.lines()):
            messages.success(request, line)
        return HttpResponseRedirect(self._overview(customer.tenant))

    def _show(self, request: HttpRequest, customer: CustomerRecord, **forms: Any) -> HttpResponse:
        name = customer.name or customer.id
        known = standing(customer.id, customer.tenant)
        here = customer_url(self.site, customer.id, customer.tenant)
        return self.page(
            "crm_agents/privacy/customer.html",
            _("Privacy of %s") % name,
            crumbs=[(_("Customers"), reverse(f"{self.site.name}:crm_agents_customers")), (name, here)],
            customer=customer,
            opt_out=known.opt_out,
            erasure=known.erasure,
            opt_out_form=forms.get("opt_out_form") or OptOutForm(),
            erase_form=forms.get("erase_form") or EraseForm(customer=customer.id),
            may_delete=may_delete_record(request),
            export_url=self._url("crm_agents_customer_export", customer),
            overview_url=self._overview(customer.tenant),
            back=here,
        )

    def _here(self, customer: CustomerRecord) -> str:
        return self._url("crm_agents_customer_privacy", customer)

    def _url(self, name: str, customer: CustomerRecord) -> str:
        query = customer_url(self.site, customer.id, customer.tenant).partition("?")
        return reverse(f"{self.site.name}:{name}", args=[customer.id]) + query[1] + query[2]

    def _overview(self, tenant: str) -> str:
        query = customer_url(self.site, "x", tenant).partition("?")
        return reverse(f"{self.site.name}:crm_agents_privacy") + query[1] + query[2]


class CustomerExport(PrivacyView):
    """Gives out everything known of one customer; a POST, as it writes into the audit."""

    def get(self, request: HttpRequest, customer_id: str) -> HttpResponse:
        return HttpResponseNotAllowed(["POST"])

    def post(self, request: HttpRequest, customer_id: str) -> HttpResponse:
        from crm_agents.services.privacy.exporting import as_zip, export  # reads Parquet files

        customer = self.customer(customer_id, self.tenant(request.POST))
        packed = as_zip(export(customer.tenant, customer.id, user=request.user))
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", customer.id)
        headers = {"Content-Disposition": f'attachment; filename="customer-{name}.zip"'}
        return HttpResponse(packed, content_type="application/zip", headers=headers)


def may_delete_record(request: HttpRequest) -> bool:
    """Whether the user may delete the built-in record; a host's own records are deleted by the host."""
    builtin = isinstance(get_source(), BuiltInSource) or (
        get_source().customers.model.lower() == Customer._meta.label_lower
    )
    return builtin and request.user.has_perm(DELETE_CUSTOMER)
