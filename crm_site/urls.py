from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from crm_site.health import healthz, readyz

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
