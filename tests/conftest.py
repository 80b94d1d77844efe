"""Fixtures that every room's tests may use."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@pytest.fixture(autouse=True)
def agents_root(tmp_path: Path, settings: Any) -> Path:
    """Keep snapshots, run folders and artifacts of a test out of the working copy's `var/`."""
    folder = tmp_path / "agents"
    folder.mkdir()
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "ROOT": str(folder)}
    return folder


@pytest.fixture(autouse=True)
def plain_passwords(settings: Any) -> None:
    """Hash passwords quickly: a test's password protects nothing."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def manager(db: None) -> "User":
    """A member of staff who sees every customer, runs agents and promotes versions; password "manager"."""
    from crm_demo.services.users import make_manager

    return make_manager("manager", password="manager")


@pytest.fixture
def rep(db: None) -> "User":
    """A sales rep who sees own customers and gives feedback; password "rep"."""
    from crm_demo.services.users import make_rep

    return make_rep("rep", password="rep")


@pytest.fixture
def other_rep(db: None) -> "User":
    """A second sales rep, whose customers are foreign to `rep`; password "other"."""
    from crm_demo.services.users import make_rep

    return make_rep("other", password="other")
