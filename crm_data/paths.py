"""ORM paths of a Source: what they end at, whether they multiply rows, and keys as text."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from django.core.exceptions import FieldError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, OuterRef, Q
from django.db.models.expressions import Combinable, Func
from django.db.models.functions import Cast
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.query import Query

from crm_data.source import Path


class BadPath(ValueError):
    """A path that the model cannot follow; `hint` says what it could have been."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Target:
    """Where a path ends."""

    field: "models.Field[Any, Any]"
    to_many: bool  # one row of the model leads to several here


def follow(model: type[models.Model], path: str) -> Target:
    """Follow a path of field names from `model`. Raises BadPath."""
    names = path.split("__")
    try:
        infos, field, _targets, rest = Query(model).names_to_path(
            names, model._meta, allow_many=True, fail_on_missing=False
        )
    except FieldError as error:
        raise _bad(model, path, names[0]) from error
    if rest and not _transforms(field, rest[0]):
        raise _bad(infos[-1].to_opts.model if infos else model, path, rest[0])
    return Target(field, any(info.m2m for info in infos))


def names_in(path: Any) -> Iterator[str]:
    """Yield every field path that a path, a Q or an expression reads from its own model."""
    if isinstance(path, str):
        yield path
    elif isinstance(path, Q):
        children: list[Any] = path.children
        for child in children:
            yield from names_in(child if isinstance(child, Q) else child[0])
    elif isinstance(path, F):
        if not isinstance(path, OuterRef):
            yield vars(path)["name"]
    elif hasattr(path, "get_source_expressions"):
        for part in path.get_source_expressions():
            if isinstance(part, F | Q) or hasattr(part, "get_source_expressions"):
                yield from names_in(part)


def expression(path: Path) -> Combinable:
    return F(path) if isinstance(path, str) else path


def join(path: str, key: str) -> str:
    return f"{path}__{key}" if path else key


def text_key(model: type[models.Model], path: str) -> Combinable:
    """Return the key at `path` as the text that Python's `str(key)` gives, on every database."""
    if isinstance(follow(model, path).field, models.UUIDField):
        return _UUIDText(F(path))
    return Cast(path, models.TextField())


class _UUIDText(Func):
    """A UUID with its hyphens also where the database keeps 32 hexadecimal digits."""

    arity = 1
    output_field = models.TextField()

    def as_sql(  # type: ignore[override] # the template is not the caller's to change
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> Any:
        sql, params = compiler.compile(self.get_source_expressions()[0])
        if connection.features.has_native_uuid_field:
            return f"CAST({sql} AS {'char' if connection.vendor == 'mysql' else 'text'})", params
        parts = [
            f"SUBSTR({sql}, {start}, {size})" for start, size in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        ]
        whole = (
            f"CONCAT({', '.join(_dashed(parts))})"
            if connection.vendor == "mysql"
            else " || ".join(_dashed(parts))
        )
        return f"({whole})", tuple(params) * len(parts)


def _dashed(parts: list[str]) -> list[str]:
    return [piece for part in parts for piece in ("'-'", part)][1:]


def _transforms(field: Any, name: str) -> bool:
    return isinstance(field, models.JSONField) or field.get_transform(name) is not None


def _bad(model: Any, path: str, name: str) -> BadPath:
    known = sorted(
        {"pk", *(field.name for field in model._meta.get_fields() if not field.name.endswith("+"))}
    )
    close = get_close_matches(name, known, 3)
    return BadPath(
        f"{model._meta.label} has no field {name!r} (in the path {path!r}).",
        f"Did you mean {' or '.join(map(repr, close))}?" if close else f"Its fields are {', '.join(known)}.",
    )
