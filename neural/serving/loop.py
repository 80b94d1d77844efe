"""`python -m neural serve`: answers a line for a line until its standard input ends."""

import os
import sys
import traceback
from collections import OrderedDict
from pathlib import Path
from typing import TextIO

from handoff.errors import HandoffError
from handoff.serving import Question, Reply, Served
from neural.serving.resident import Resident


class Server:
    """Keeps at most `most` models loaded, those asked last."""

    def __init__(self, root: Path, most: int) -> None:
        self.root, self.most = root, most
        self._loaded: OrderedDict[Served, Resident] = OrderedDict()

    def reply(self, line: str) -> Reply:
        """Answer one line; whatever is wrong with it is said in the reply."""
        number = 0
        try:
            question = Question.read(line)
            number = question.id
            return self._answer(question)
        except HandoffError as error:
            return Reply(number, error=str(error), final=True, memory_mb=memory_mb())
        except Exception as error:  # noqa: BLE001  whatever it is, who asked is told
            traceback.print_exc()
            return Reply(number, error=f"{type(error).__name__}: {error}", memory_mb=memory_mb())

    def _answer(self, question: Question) -> Reply:
        resident = self._resident(question.model)
        if question.customer is None:
            return Reply(question.id, as_of=resident.as_of.isoformat(), memory_mb=memory_mb())
        score, payload, as_of = resident.answer(question.customer, question.known)
        return Reply(question.id, score, payload, as_of.isoformat(), memory_mb())

    def _resident(self, served: Served) -> Resident:
        if served not in self._loaded:
            while len(self._loaded) >= self.most:
                self._loaded.popitem(last=False)
            self._loaded[served] = Resident(served, self.root)
        self._loaded.move_to_end(served)
        return self._loaded[served]


def serve(root: Path, most: int) -> None:
    """Read questions from standard input and write replies to standard output."""
    replies = _own_output()
    server = Server(root, most)
    for line in sys.stdin:
        replies.write(server.reply(line).line())
        replies.flush()


def _own_output() -> TextIO:
    """Take standard output for the replies alone: whatever else prints goes to the log."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return replies


def memory_mb() -> int:
    """Return the memory of this process in MB; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20
