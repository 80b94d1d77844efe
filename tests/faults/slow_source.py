"""The built-in tables, read by a worker that never comes to the end of it while a file lies in its way."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crm_data.builtin import BuiltInSource


class SlowSource(BuiltInSource):
    """Reads everything and then waits as long as the file that TEST_HOLD names is there."""

    @contextmanager
    def scope(self, tenant: str) -> Iterator[None]:
        with super().scope(tenant):
            yield
        while Path(os.environ["TEST_HOLD"]).exists():
            time.sleep(0.1)
