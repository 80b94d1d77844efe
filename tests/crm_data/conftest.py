from pathlib import Path

import pytest

from tests.crm_data.transactions import Sales, write_sales


@pytest.fixture
def sales(tmp_path: Path) -> Sales:
    """Write a transaction file: `sales({"quantity": "2"}, …, name="x.csv.gz", header=[…])`."""

    def write(*rows: dict[str, str], name: str = "sales.csv", header: list[str] | None = None) -> Path:
        return write_sales(tmp_path / name, list(rows), header)

    return write
