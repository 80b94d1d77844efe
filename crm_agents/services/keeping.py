"""Keeping a lease while the work itself is busy: a thread renews it, writes news and listens for the end."""

import logging
import threading
import time
from types import TracebackType
from typing import Any, Self

from django.db import Error, connection

from crm_agents.services.leases import CancelRequested, Lease, LeaseLost
from crm_data.conf import setting

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0


class Keeper:
    """Holds a lease for the length of a `with` block.

    The thread has a database connection of its own: the work may be inside a long or read-only
    transaction in which it could neither renew the lease nor see that a person cancelled it.
    """

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._news: dict[str, Any] = {}
        self._problem: LeaseLost | CancelRequested | None = None
        self._renewed = time.monotonic()
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"lease {lease.pk}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def note(self, **values: Any) -> None:
        """Have the row changed within about a second."""
        with self._guard:
            self._news.update(values)

    def flush(self) -> None:
        """Write the news now. Raises LeaseLost."""
        self._lease.write(**self._take())

    def check(self) -> None:
        """Raise LeaseLost when the row is no longer held, CancelRequested when it is to end."""
        if self._problem is not None:
            raise self._problem

    def _run(self) -> None:
        try:
            while self._problem is None and not self._stop.wait(TICK_SECONDS):
                self._tick()
        finally:
            connection.close()

    def _take(self) -> dict[str, Any]:
        with self._guard:
            news, self._news = self._news, {}
        return news

    def _tick(self) -> None:
        news = self._take()
        try:
            if news or time.monotonic() - self._renewed > setting("LEASE_SECONDS") / 3:
                self._lease.write(**news)
                self._renewed = time.monotonic()
            if self._lease.to_be_cancelled():
                self._problem = CancelRequested()
        except LeaseLost as lost:
            self._problem = lost
        except Error:
            logger.exception("Could not write to %s; trying again.", self._lease.pk)
            with self._guard:
                self._news = {**news, **self._news}
            connection.close()
