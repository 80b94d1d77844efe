"""Small transaction files in the columns of Online Retail II."""

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

HEADER = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
Sales = Callable[..., Path]


def sale(
    invoice: str = "536365",
    product: str = "85123A",
    description: str = "WHITE HANGING HEART",
    quantity: str = "6",
    at: str = "2010-12-01 08:26:00",
    price: str = "2.55",
    customer: str = "17850",
    country: str = "United Kingdom",
) -> list[str]:
    return [invoice, product, description, quantity, at, price, customer, country]


def write_sales(path: Path, rows: list[dict[str, str]], header: list[str] | None = None) -> Path:
    """Write a CSV file, gzipped where the name says so; each dictionary changes the usual line."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header or HEADER, *(sale(**row) for row in rows)])
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.name.endswith(".gz") else content)
    return path
