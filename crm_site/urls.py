from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.utils.translation import gettext_lazy as _
from django.views.generic import RedirectView

from crm_site.health import healthz, readyz

admin.site.site_header = admin.site.site_title = _("CRM agents")
admin.site.index_title = _("Overview")
admin.site.site_url = None  # the admin is all there is to view

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("favicon.ico", RedirectView.as_view(url=static("crm_agents/icon.svg"))),
    path("admin/", admin.site.urls),
    path("api/v1/", include("crm_agents.api.urls")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]

handler400 = "crm_site.errors.bad_request"
handler403 = "crm_site.errors.permission_denied"
handler404 = "crm_site.errors.page_not_found"
handler500 = "crm_site.errors.server_error"
