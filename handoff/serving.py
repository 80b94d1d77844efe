"""What is asked of a model that is kept loaded, and what it answers: a line of JSON each way.

    → {"id": 7, "model": {"artifact", "sha256", …}, "customer": "C1", "events", "people", "labels"}
    ← {"id": 7, "score": 0.31, "payload": "{…}", "as_of": "2026-03-02T10:15:00+00:00", "memory_mb": 410}
    ← {"id": 7, "error": "…", "final": true}

The tables are those of `handoff.dataset`, of that customer alone, as Arrow in base64. Without a customer the
model is only loaded. An error is final where the same model would give it again.
"""

import base64
import binascii
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import polars as pl

from handoff.dataset import CUSTOMERS, EVENTS, LABELS
from handoff.errors import HandoffError

TABLES = {"events": EVENTS, "people": CUSTOMERS, "labels": LABELS}


@dataclass(frozen=True)
class Served:
    """Which model answers, over which dataset, as of when (ISO time)."""

    artifact: str  # folder
    sha256: str  # of the artifact
    dataset: str  # folder
    as_of: str
    data: str = ""  # SHA-256 of the dataset, another one once an erased customer was taken out of it


@dataclass(frozen=True)
class Known:
    """What is known of one customer now."""

    events: pl.DataFrame = field(default_factory=EVENTS.to_frame)
    people: pl.DataFrame = field(default_factory=CUSTOMERS.to_frame)  # of one row, or of none
    labels: pl.DataFrame = field(default_factory=LABELS.to_frame)


@dataclass(frozen=True)
class Question:
    id: int
    model: Served
    customer: str | None = None
    known: Known = field(default_factory=Known)

    def line(self) -> str:
        """Write the question as one line."""
        raw: dict[str, Any] = {"id": self.id, "model": asdict(self.model)}
        if self.customer is not None:
            tables = {name: packed(getattr(self.known, name)) for name in TABLES}
            raw = {**raw, "customer": self.customer, **tables}
        return json.dumps(raw) + "\n"

    @classmethod
    def read(cls, line: str) -> Self:
        """Read a question. Raises HandoffError for a line that is none."""
        try:
            raw = json.loads(line)
            model, customer = Served(**raw["model"]), raw.get("customer")
            found = {name: unpacked(raw[name], TABLES[name]) for name in TABLES} if customer else {}
            return cls(int(raw["id"]), model, customer, Known(**found))
        except (KeyError, TypeError, ValueError) as error:
            raise HandoffError(f"This line is no question: {error!r}.") from error


@dataclass(frozen=True)
class Reply:
    id: int
    score: float | None = None
    payload: str = ""
    as_of: str = ""
    memory_mb: int = 0  # of the process
    error: str = ""
    final: bool = False

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def read(cls, line: str) -> Self:
        """Read a reply. Raises HandoffError for a line that is none."""
        try:
            raw: Mapping[str, Any] = json.loads(line)
            return cls(**raw)
        except (TypeError, ValueError) as error:
            raise HandoffError(f"This line is no reply: {line[:200]!r}.") from error


def packed(frame: pl.DataFrame) -> str:
    buffer = io.BytesIO()
    frame.write_ipc(buffer)
    return base64.b64encode(buffer.getvalue()).decode()


def unpacked(text: str, schema: pl.Schema) -> pl.DataFrame:
    """Read a table. Raises ValueError for what is none of that schema."""
    try:
        frame = pl.read_ipc(io.BytesIO(base64.b64decode(text, validate=True)))
    except (binascii.Error, OSError, pl.exceptions.PolarsError) as error:
        raise ValueError(f"no table: {error}") from error
    if frame.schema != schema:
        raise ValueError(f"columns {dict(frame.schema)}, expected {dict(schema)}")
    return frame
