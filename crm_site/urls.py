from django.contrib import admin
from django.urls import include, path

from crm_site.health import healthz, readyz

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("crm_agents.api.urls")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]

handler400 = "crm_site.errors.bad_request"
handler403 = "crm_site.errors.permission_denied"
handler404 = "crm_site.errors.page_not_found"
handler500 = "crm_site.errors.server_error"
