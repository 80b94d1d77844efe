"""Counting that does not stall: a million rows are estimated, or counted only so far."""

from typing import Any

from django.core.paginator import Paginator
from django.db import connections
from django.db.models import QuerySet
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

COUNTED = 10_000  # up to here rows are counted exactly


class RoughCount(int):
    """A number of rows that is not exact, and says so where it is shown."""

    label: str

    def __new__(cls, value: int, label: str) -> "RoughCount":
        count = super().__new__(cls, value)
        count.label = label
        return count

    def __str__(self) -> str:
        return self.label

    def __format__(self, form: str) -> str:
        return self.label if not form else super().__format__(form)


class RoughPaginator(Paginator):  # type: ignore[type-arg]  # generic for type checkers only
    """Pages over a queryset whose length is exact up to COUNTED rows.

    Above that it is the planner's estimate for a whole table on PostgreSQL, else COUNTED itself: the
    pages behind it are reached by searching and filtering.
    """

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        counted = rows.order_by()[: COUNTED + 1].count()
        if counted <= COUNTED:
            return counted
        estimate = _table_estimate(rows)
        if estimate > COUNTED:
            return RoughCount(estimate, _("about %s") % number_format(estimate, force_grouping=True))
        return RoughCount(COUNTED, _("more than %s") % number_format(COUNTED, force_grouping=True))


def _table_estimate(rows: QuerySet[Any]) -> int:
    """Return PostgreSQL's own idea of the table's size; 0 where there is none or `rows` is a part of it."""
    connection = connections[rows.db]
    if connection.vendor != "postgresql" or rows.query.where:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass",
            [connection.ops.quote_name(rows.model._meta.db_table)],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0
