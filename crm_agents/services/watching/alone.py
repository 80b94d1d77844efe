"""Work that only one process may do at a time, and that the others need not wait for."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from crm_agents.services.supervision import ChildFailed, locked


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Hold a folder for the length of a `with` block; the block is given False where another holds it.

    The kernel lets go of it when the process dies, however it dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder, patience=0))
            free = True
        except ChildFailed:
            free = False
        yield free
