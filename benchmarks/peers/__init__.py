"""Well-known methods on the same rows, windows and metrics as our models; see `pip install .[peers]`."""

from dataclasses import dataclass

from neural.tasks.base import Metrics

SEED = 0


@dataclass(frozen=True)
class Peer:
    name: str
    metrics: Metrics
    cpu_seconds: float
