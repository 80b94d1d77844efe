"""The people of the demo: one manager and the sales reps, with their permissions held by two groups."""

from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Q

if TYPE_CHECKING:
    from django.contrib.auth.models import User

REP_GROUP = "Sales reps"
MANAGER_GROUP = "Managers"
DEMO_MANAGER = "manager"
DEMO_REPS = ("anna", "wei")

OUR_APPS = (
    "crm_data",
    "crm_agents",
    "crm_agents_profiling",
    "crm_agents_recommender",
    "crm_agents_churn",
    "django_celery_beat",
)
REP_CODENAMES = (
    "view_customer",
    "view_product",
    "view_interaction",
    "view_scores",
    "give_feedback",
    "annotate",
    "view_churnscore",
    "view_recommendationset",
)


def make_groups() -> tuple[Group, Group]:
    """Create or refresh the groups of sales reps and managers; return them in that order."""
    reps, _ = Group.objects.get_or_create(name=REP_GROUP)
    managers, _ = Group.objects.get_or_create(name=MANAGER_GROUP)
    ours = Permission.objects.filter(content_type__app_label__in=OUR_APPS)
    reps.permissions.set(ours.filter(codename__in=REP_CODENAMES))
    history_is_kept = Q(content_type__model="auditentry") & ~Q(codename__startswith="view_")
    managers.permissions.set(ours.exclude(history_is_kept))
    return reps, managers


def make_manager(username: str, *, password: str | None) -> "User":
    """Create or refresh a member of staff who sees every customer and runs the agents."""
    _, managers = make_groups()
    return _make_user(username, password=password, group=managers)


def make_rep(username: str, *, password: str | None) -> "User":
    """Create or refresh a sales rep, who sees own customers only. No password means no log-in."""
    reps, _ = make_groups()
    return _make_user(username, password=password, group=reps)


def sales_reps(count: int) -> "list[User]":
    """Return `count` sales reps, making those that are missing, without a log-in."""
    users = get_user_model().objects
    result = []
    for name in rep_names(count):
        present = users.filter(username=name).first()
        result.append(present or make_rep(name, password=None))
    return result


def rep_names(count: int) -> list[str]:
    return [*DEMO_REPS, *(f"rep{number:03d}" for number in range(len(DEMO_REPS) + 1, count + 1))][:count]


def _make_user(username: str, *, password: str | None, group: Group) -> "User":
    user, _ = get_user_model().objects.get_or_create(username=username)
    user.is_staff = True
    user.set_password(password)
    user.save()
    user.groups.set([group])
    return user
