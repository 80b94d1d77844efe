"""The embedded message broker: a folder, for one machine without Redis or RabbitMQ.

kombu's own filesystem transport writes a message in place, so that a consumer may read half of one and
lose it, and rewrites its table of bindings in place too. Here every file appears whole, by rename, and a
consumer owns a message once its rename out of the folder has succeeded.
"""

import fcntl
import os
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any, ClassVar
from urllib.parse import quote

from kombu import Connection
from kombu.exceptions import ChannelError
from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps, loads

from handoff.files import write_bytes

Binding = filesystem.exchange_queue_t  # routing_key, pattern, queue


def transport_options(folder: Path) -> dict[str, Any]:
    """Return Celery's `broker_transport_options` for a broker in `folder`, which is made if needed."""
    places = {name: folder / name for name in ("messages", "taken", "control")}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(places["messages"]),
        "data_folder_out": str(places["messages"]),
        # On the same file system as the messages: taking one must be a rename, never a copy.
        "processed_folder": str(places["taken"]),
        "control_folder": str(places["control"]),
        "polling_interval": 0.1,
    }


class Channel(filesystem.Channel):
    """kombu's filesystem channel with atomic files."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._listed: dict[str, deque[str]] = {}  # names seen in the folder and not yet tried, by queue

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # bases differ
        """Put a message; once this returns it is on the disk, whole."""
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}.{queue}.msg"
        path = Path(self.data_folder_out) / name
        try:
            write_bytes(path, dumps(payload).encode())
        except OSError as error:
            raise ChannelError(f"Cannot write the message {path}: {error}.") from error

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        """Take the oldest message of `queue`. Raises Empty when there is none."""
        names = self._listed.get(queue)
        if not names:
            names = self._listed[queue] = deque(self._names(queue))
        while names:
            content = self._take(names.popleft())
            if content is not None:
                return loads(content)
        raise Empty

    def _names(self, queue: str) -> list[str]:
        ending = f"{queue}.msg"
        return sorted(name for name in os.listdir(self.data_folder_in) if name.partition(".")[2] == ending)

    def _take(self, name: str) -> str | None:
        """Return the message's text, or None where another consumer was quicker."""
        taken = Path(self.processed_folder) / name
        try:
            (Path(self.data_folder_in) / name).rename(taken)
        except FileNotFoundError:
            return None
        content = taken.read_text(encoding="utf-8")
        taken.unlink()
        return content

    def get_table(self, exchange: str) -> list[Binding]:  # type: ignore[override]  # a named tuple
        """Return the bindings of `exchange`."""
        try:
            rows = loads(self._table_file(exchange).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        return [Binding(*row) for row in rows]

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        binding = Binding(routing_key or "", pattern or "", queue or "")
        with self._bindings_locked():
            table = self.get_table(exchange)
            if binding not in table:
                self._write_table(exchange, [binding, *table])

    def _delete(
        self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any
    ) -> None:
        virtual.Channel._delete(self, queue, exchange, routing_key, pattern, *args, **kwargs)
        binding = Binding(routing_key or "", pattern or "", queue or "")
        with self._bindings_locked():
            table = self.get_table(exchange)
            if binding in table:
                self._write_table(exchange, [row for row in table if row != binding])

    def _write_table(self, exchange: str, table: list[Binding]) -> None:
        write_bytes(self._table_file(exchange), dumps(table).encode())

    def _table_file(self, exchange: str) -> Path:
        return self.control_folder / f"{quote(exchange, safe='')}.bindings"

    @contextmanager
    def _bindings_locked(self) -> Iterator[None]:
        self.control_folder.mkdir(parents=True, exist_ok=True)
        with (self.control_folder / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file is closed
            yield


class Transport(filesystem.Transport):
    """`folder://`, see `transport_options`."""

    Channel = Channel
    driver_type = "folder"
    driver_name = "folder"
    # What this process has declared, by folder. kombu keeps one such memory for all of them, so that a
    # queue declared in one folder would not be written into the next and its messages would be dropped.
    _states: ClassVar[dict[str, virtual.BrokerState]] = {}

    def __init__(self, client: Connection, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        folder = str((client.transport_options or {})["control_folder"])
        self.state = self._states.setdefault(folder, virtual.BrokerState())
