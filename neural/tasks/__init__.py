"""Tasks: what is to be predicted. `next_product`, `churn`, or a third party's "package.module:Class"."""

from importlib import import_module

from handoff.errors import HandoffError
from neural.tasks.base import Task
from neural.tasks.churn import Churn
from neural.tasks.next_product import NextProduct

TASKS: dict[str, type[Task]] = {"next_product": NextProduct, "churn": Churn}


def find_task(name: str) -> type[Task]:
    """Return the task's class. Raises HandoffError naming what could not be found."""
    if name in TASKS:
        return TASKS[name]
    module, _, attribute = name.partition(":")
    if not attribute:
        raise HandoffError(
            f'task is {name!r}; choose {", ".join(TASKS)} or name a class as "package.module:Class".'
        )
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise HandoffError(f"task {name!r} cannot be imported: {error}.") from error
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise HandoffError(f"task {name!r} is not a subclass of neural.tasks.base.Task.")
    return found
