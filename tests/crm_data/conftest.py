from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import override_settings

from tests.crm_data.transactions import Sales, write_sales


@pytest.fixture
def sales(tmp_path: Path) -> Sales:
    """Write a transaction file: `sales({"quantity": "2"}, …, name="x.csv.gz", header=[…])`."""

    def write(*rows: dict[str, str], name: str = "sales.csv", header: list[str] | None = None) -> Path:
        return write_sales(tmp_path / name, list(rows), header)

    return write


@pytest.fixture(scope="session")
def shapes_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[list[str]]:
    """Create the tables of `tests.hosts.shapes` once; yield the apps to install with them."""
    installed = [*(config.name for config in apps.get_app_configs()), "tests.hosts.shapes"]
    with override_settings(INSTALLED_APPS=installed):
        models = list(apps.get_app_config("shapes").get_models())
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        for model in models:
            editor.create_model(model)
    yield installed
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        for model in reversed(models):
            editor.delete_model(model)


@pytest.fixture
def shapes(shapes_tables: list[str], db: None, settings: Any) -> None:
    """Install a host whose tables have UUID, text and number keys."""
    settings.INSTALLED_APPS = shapes_tables
    apps.clear_cache()  # the user model may have been asked for its relations before
