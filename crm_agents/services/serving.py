"""The one child process of an interactive worker: `python -m neural serve` with the live models loaded."""

import logging
import os
import select
import subprocess
import sys
import threading
import time
from collections import OrderedDict

from crm_agents.folders import artifact_folder
from crm_agents.models import ScoringRun
from crm_agents.services.supervision import child_environment
from crm_data.conf import root, setting
from crm_data.selectors import snapshot_folder
from handoff.errors import HandoffError
from handoff.serving import Known, Question, Reply, Served

logger = logging.getLogger(__name__)

LOAD_SECONDS = 180.0
ANSWER_SECONDS = 10.0
REFUSED_SECONDS = 300.0  # before a model that could not be loaded is tried again
CHUNK = 2**16


class ChildLost(Exception):
    """The child died, was silent for too long or talked nonsense; it has been ended, and the next is new."""


class CannotServe(Exception):
    """The model cannot be kept loaded, now and for a while; the message says why."""


def served_model(scoring: ScoringRun) -> Served:
    """Return what answers in the manner of a scoring. Raises HandoffError where its snapshot is gone."""
    if scoring.snapshot is None:
        raise HandoffError(f"Scoring {scoring.pk} has no snapshot any more.")
    version = scoring.version
    folder = snapshot_folder(scoring.snapshot)
    return Served(
        artifact=str(artifact_folder(version)),
        sha256=version.artifact_sha256,
        dataset=str(folder),
        as_of=scoring.as_of.isoformat(),
        data=scoring.snapshot.sha256,
    )


class Child:
    """A running `python -m neural serve`. Not for two threads at once."""

    def __init__(self, models: int) -> None:
        command = setting("NEURAL_COMMAND") or [sys.executable, "-m", "neural"]
        self._process = subprocess.Popen(  # noqa: S603  # our own command line, no shell
            [*command, "serve", "--root", str(root()), "--models", str(models)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,  # what it logs goes where the worker logs
            env=child_environment(),
        )
        assert self._process.stdin is not None  # noqa: S101  as asked for above
        assert self._process.stdout is not None  # noqa: S101
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        self._number = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, model: Served, customer: str | None, known: Known, seconds: float) -> Reply:
        """Send one question and wait for its reply. Raises ChildLost."""
        self._number += 1
        deadline = time.monotonic() + seconds
        self._send(Question(self._number, model, customer, known).line().encode(), deadline)
        try:
            reply = Reply.read(self._receive(deadline).decode())
        except (HandoffError, UnicodeDecodeError) as error:
            raise ChildLost(str(error)) from error
        if reply.id not in (0, self._number):
            raise ChildLost(f"The model process answered question {reply.id}, not {self._number}.")
        return reply

    def stop(self) -> None:
        """End it at once: it holds nothing that could be lost."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _send(self, data: bytes, deadline: float) -> None:
        sent = 0
        while sent < len(data):
            self._wait(deadline, writing=True)
            try:
                sent += os.write(self._in, data[sent : sent + CHUNK])
            except BlockingIOError:
                continue
            except OSError as error:
                raise ChildLost(f"The model process has ended: {error}.") from error

    def _receive(self, deadline: float) -> bytes:
        found = bytearray()
        while not found.endswith(b"\n"):
            self._wait(deadline, writing=False)
            part = os.read(self._out, CHUNK)
            if not part:
                raise ChildLost(f"The model process has ended with status {self._process.wait()}.")
            found += part
        return bytes(found)

    def _wait(self, deadline: float, *, writing: bool) -> None:
        left = max(deadline - time.monotonic(), 0.0)
        readers, writers = ([], [self._in]) if writing else ([self._out], [])
        if not any(select.select(readers, writers, [], left)):
            raise ChildLost("The model process did not answer in time.")


class WarmModels:
    """The models that this worker keeps loaded, all in one child; those asked last stay."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._owner = 0  # the process that started the child: after a fork it is not ours
        self._loaded: OrderedDict[int, Served] = OrderedDict()  # by agent
        self._refused: dict[Served, tuple[float, str]] = {}

    @property
    def pid(self) -> int | None:
        """The child's process, where one is running."""
        return self._child.pid if self._child is not None and self._owner == os.getpid() else None

    def load(self, agent: int, model: Served) -> None:
        """Have a model ready. Raises CannotServe, ChildLost."""
        with self._lock:
            self._ready(agent, model)

    def ask(self, agent: int, model: Served, customer: str, known: Known) -> Reply:
        """Let a model answer about a customer. Raises CannotServe, ChildLost."""
        with self._lock:
            self._ready(agent, model)
            reply = self._told(model, customer, known, ANSWER_SECONDS)
            if reply.memory_mb > setting("WARM_MEMORY_MB"):
                logger.warning("The model process holds %d MB and is replaced.", reply.memory_mb)
                self._stop()
            return reply

    def stop(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            self._stop()

    def _ready(self, agent: int, model: Served) -> None:
        until, why = self._refused.get(model, (0.0, ""))
        if time.monotonic() < until:
            raise CannotServe(why)
        if self._loaded.get(agent, model) != model:
            self._stop()  # another version or other scores are live: begin anew, with clean memory
        if self.pid is None or agent not in self._loaded:
            self._load(agent, model)
        self._loaded.move_to_end(agent)

    def _load(self, agent: int, model: Served) -> None:
        reply = self._told(model, None, Known(), LOAD_SECONDS)
        if reply.error:
            self._refuse(model, reply.error)
        if reply.memory_mb > setting("WARM_MEMORY_MB"):
            self._stop()
            self._refuse(
                model, f"It takes {reply.memory_mb} MB; WARM_MEMORY_MB is {setting('WARM_MEMORY_MB')}."
            )
        self._loaded[agent] = model
        while len(self._loaded) > setting("WARM_MODELS"):
            self._loaded.popitem(last=False)

    def _refuse(self, model: Served, why: str) -> None:
        self._refused = {model: (time.monotonic() + REFUSED_SECONDS, why)}
        logger.warning("%s is not kept loaded: %s", model.artifact, why)
        raise CannotServe(why)

    def _told(self, model: Served, customer: str | None, known: Known, seconds: float) -> Reply:
        if self._child is None or self._owner != os.getpid():
            self._loaded.clear()
            self._child, self._owner = Child(max(1, setting("WARM_MODELS"))), os.getpid()
        try:
            return self._child.ask(model, customer, known, seconds)
        except ChildLost:
            self._stop()
            raise

    def _stop(self) -> None:
        if self._child is not None and self._owner == os.getpid():
            self._child.stop()
        self._child = None
        self._loaded.clear()


warm_models = WarmModels()
