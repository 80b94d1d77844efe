"""The privacy pages: opting out and in, the export, erasing, and what the overview tells."""

import json
import zipfile
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from churn.models import ChurnScore
from crm_agents.models import AuditEntry, Feedback, ModelVersion
from crm_agents.services.agents import get_agent
from crm_data.models import Customer, Erasure, OptOut, Snapshot
from crm_data.services.snapshots import build_snapshot
from tests.crm_agents_admin.support import inline_parts, signed_in, staff, text_of
from tests.published import publish
from tests.shop import open_shop

PAGE = "/admin/crm_agents/agent/customers/C1/privacy/"
EXPORT = "/admin/crm_agents/agent/customers/C1/export/"
OVERVIEW = "/admin/crm_agents/agent/privacy/"
CUSTOMER = "/admin/crm_agents/agent/customers/C1/"


@pytest.fixture(autouse=True)
def recipe() -> None:
    """Do without the tests' own recipe: it has no table of scores."""


@pytest.fixture
def scored(db: None) -> None:
    open_shop(customers=3, purchases=2)
    publish("churn", {"C1": (0.9, {"reasons": []}), "C2": (0.2, {"reasons": []})})
    snapshot = build_snapshot()
    ModelVersion.objects.update(snapshot=snapshot)


def officer_user(*data: str) -> User:
    """Make a privacy officer who sees every customer, with further permissions of crm_data."""
    user = staff("officer", "view_scores", "manage_privacy")
    own = Permission.objects.filter(
        content_type__app_label="crm_data", codename__in=["view_all_customers", "view_customer", *data]
    )
    user.user_permissions.add(*own)
    return user


@pytest.fixture
def officer(db: None) -> Client:
    return signed_in(officer_user("delete_customer"))


def test_the_customers_page_leads_there(officer: Client, scored: None) -> None:
    assert f'<a href="{PAGE}">Privacy</a>' in text_of(officer.get(CUSTOMER))
    assert f'<a href="{OVERVIEW}">' in text_of(officer.get("/admin/crm_agents/agent/customers/"))
    answer = officer.get(PAGE)
    text = text_of(answer)
    for words in ("Privacy of Customer 1", "Export", "Opt out", "Erase for good", "This cannot be undone."):
        assert words in text, words
    assert inline_parts(answer) == []
    assert inline_parts(officer.get(OVERVIEW)) == []


@pytest.mark.parametrize("url", [PAGE, OVERVIEW])
def test_only_privacy_officers_come_in(scored: None, manager: User, url: str) -> None:
    manager.user_permissions.clear()
    manager.groups.clear()
    helper = signed_in(staff("helper", "view_scores", "manage_agents"))
    assert helper.get(url).status_code == 403
    assert helper.post(PAGE, {"step": "erase", "number": "C1"}).status_code == 403
    assert helper.post(EXPORT).status_code == 403
    assert "Privacy" not in text_of(helper.get("/admin/crm_agents/agent/customers/"))
    assert not Erasure.objects.exists()


def test_opting_out_and_in(officer: Client, scored: None) -> None:
    answer = officer.post(PAGE, {"step": "opt_out", "reason": "asked by letter"}, follow=True)
    assert "Customer 1 is opted out of profiling." in text_of(answer)
    assert "“asked by letter”" in text_of(answer)
    assert OptOut.objects.get().reason == "asked by letter"
    page = text_of(officer.get(CUSTOMER))
    assert "This customer opted out of profiling on " in page
    assert "panel-churn" not in page
    assert "panel-interactions" in page
    assert list(ChurnScore.objects.values_list("customer_id", flat=True)) == ["C2"]
    assert f'<a href="{CUSTOMER}">C1</a>' in text_of(officer.get(OVERVIEW))
    officer.post(PAGE, {"step": "opt_in"})
    assert not OptOut.objects.exists()
    assert "panel-churn" in text_of(officer.get(CUSTOMER))


def test_a_reason_that_is_too_long_is_refused_at_its_field(officer: Client, scored: None) -> None:
    answer = officer.post(PAGE, {"step": "opt_out", "reason": "x" * 501})
    assert "Ensure this value has at most 500 characters" in text_of(answer)
    assert not OptOut.objects.exists()


def test_the_export_is_a_zip_and_is_audited(officer: Client, scored: None) -> None:
    assert officer.get(EXPORT).status_code == 405
    answer: Any = officer.post(EXPORT)
    assert answer["Content-Disposition"] == 'attachment; filename="customer-C1.zip"'
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        found = json.loads(archive.read("customer.json"))
    assert (found["customer_id"], len(found["snapshot"]["events"])) == ("C1", 2)
    entry = AuditEntry.objects.filter(action="customer.exported").first()
    assert entry is not None
    assert (entry.subject, entry.user.username) == ("C1", "officer")  # type: ignore[union-attr]
    assert officer.post("/admin/crm_agents/agent/customers/NOBODY/export/").status_code == 404


def test_erasing_needs_the_number_typed_in(officer: Client, scored: None) -> None:
    for number, message in (
        ("", "Type the customer's number to confirm.".replace("'", "&#x27;")),
        ("C2", "C2 is not this customer&#x27;s number; type C1."),
    ):
        answer = officer.post(PAGE, {"step": "erase", "number": number})
        assert message in text_of(answer)
    assert not Erasure.objects.exists()
    assert ChurnScore.objects.count() == 2
    assert officer.post(PAGE, {"step": "nonsense"}).status_code == 302


def test_erasing_shows_what_was_done_and_what_to_train_anew(officer: Client, scored: None) -> None:
    Feedback.objects.create(agent=get_agent("churn"), customer_id="C1", verdict="wrong")
    answer = officer.post(PAGE, {"step": "erase", "number": "C1", "with_record": "on"}, follow=True)
    text = text_of(answer)
    assert "Rows about this customer that are erased: 5." in text
    assert "Snapshots cleaned: 1." in text
    assert "live: train anew" in text
    assert "churn v1" in text
    version = ModelVersion.objects.get()
    page = text_of(officer.get(f"/admin/crm_agents/modelversion/{version.pk}/change/"))
    assert "learnt from erased customers" in page
    assert not Customer.objects.filter(code="C1").exists()
    assert Customer.objects.count() == 2
    assert officer.get(PAGE).status_code == 404


def test_the_record_stays_without_the_permission_to_delete_it(scored: None) -> None:
    officer = signed_in(officer_user())
    assert "with_record" not in text_of(officer.get(PAGE))
    form = {"step": "erase", "number": "C1"}
    assert officer.post(PAGE, {**form, "with_record": "on"}).status_code == 403
    assert not Erasure.objects.exists()
    officer.post(PAGE, form)
    assert Customer.objects.filter(code="C1").exists()
    page = text_of(officer.get(CUSTOMER))
    assert "What agents knew of this customer was erased on " in page
    assert "Opt out" not in text_of(officer.get(PAGE))


def test_the_overview_names_versions_of_which_it_cannot_be_told(officer: Client, scored: None) -> None:
    from django.utils import timezone

    Snapshot.objects.update(removed_at=timezone.now())
    officer.post(PAGE, {"step": "erase", "number": "C1"})
    text = text_of(officer.get(OVERVIEW))
    assert "Of these it cannot be told" in text
    assert "clean" in text
