import pytest
from django.contrib.auth.models import User

from crm_demo.services.users import make_manager, make_rep, rep_names, sales_reps

pytestmark = pytest.mark.django_db


def test_a_rep_sees_scores_and_gives_feedback_and_no_more(rep: User) -> None:
    assert rep.has_perms(["crm_data.view_customer", "crm_agents.view_scores", "crm_agents.give_feedback"])
    for forbidden in (
        "crm_data.view_all_customers",
        "crm_data.change_customer",
        "crm_agents.manage_runs",
        "crm_agents.promote_version",
        "auth.view_user",
    ):
        assert not rep.has_perm(forbidden)


def test_a_manager_runs_the_agents_and_cannot_rewrite_the_audit(manager: User) -> None:
    assert manager.has_perms(
        ["crm_data.view_all_customers", "crm_agents.manage_runs", "crm_agents.promote_version"]
    )
    assert manager.has_perm("crm_agents.view_auditentry")
    assert not manager.has_perm("crm_agents.change_auditentry")
    assert not manager.has_perm("crm_agents.delete_auditentry")
    assert not manager.is_superuser


def test_making_somebody_twice_changes_the_password_alone() -> None:
    first = make_rep("anna", password="one")
    second = make_rep("anna", password="two")
    assert first.pk == second.pk
    assert second.check_password("two")
    assert second.groups.count() == 1


def test_reps_of_a_big_shop_are_numbered() -> None:
    assert rep_names(1) == ["anna"]
    assert rep_names(4) == ["anna", "wei", "rep003", "rep004"]


def test_present_reps_keep_their_password() -> None:
    make_rep("anna", password="mine")
    anna, wei = sales_reps(2)
    assert anna.check_password("mine")
    assert not wei.has_usable_password()


def test_a_manager_who_was_a_rep_is_a_rep_no_longer() -> None:
    make_rep("eve", password="x")
    promoted = make_manager("eve", password="x")
    assert [group.name for group in promoted.groups.all()] == ["Managers"]
