"""A model with everybody's history, read once and asked often."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from handoff.artifact import check_artifact
from handoff.config import TrainingConfig
from handoff.dataset import Dataset, shard_of
from handoff.errors import HandoffError
from handoff.serving import Known, Served
from neural.artifacts import open_artifact
from neural.courses import COURSES
from neural.scoring import INSTANT
from neural.serving.partial import MONTH, world_of_one
from neural.windows import parse_time, to_days


class Resident:
    """Answers about one customer as a scoring at `served.as_of` would, were the customer's rows newer.

    Raises HandoffError for an artifact outside `root` or damaged, and for a model that answers no customers.
    """

    def __init__(self, served: Served, root: Path) -> None:
        artifact = Path(served.artifact)
        check_artifact(artifact, root=root, sha256=served.sha256)
        self.as_of = parse_time(served.as_of)
        if TrainingConfig.read(artifact).task in COURSES:
            raise HandoffError(f"{artifact} labels texts; a customer's answer is not kept fresh with it.")
        self.dataset = Dataset.open(served.dataset)
        moment = to_days(self.as_of) + INSTANT
        self.opened = open_artifact(artifact, root, self.dataset, cuts=(moment - MONTH, moment))
        self._warm_up()

    def answer(self, customer: str, known: Known) -> tuple[float | None, str, datetime]:
        """Return score, payload and the moment they speak of: the last event, if later than the scoring's."""
        last = known.events["at"].max()
        as_of = max(self.as_of, last.astimezone(UTC)) if isinstance(last, datetime) else self.as_of
        moment = to_days(as_of) + INSTANT
        task = self.opened.task
        world = world_of_one(task.world, self.dataset, known, moment)
        asked = type(task)(world, task.learnt)
        frame = asked.score(self.opened.model, self.opened.calibration, moment, [customer])
        _, score, payload = frame.row(0)
        return score, payload, as_of

    def of_dataset(self, customer: str) -> Known:
        """What the dataset itself knows of a customer."""
        mine = pl.col("customer") == customer
        shard = shard_of(customer, self.dataset.manifest.shards)
        frames = (self.dataset.events(shard), self.dataset.customers(), self.dataset.labels())
        return Known(*(frame.filter(mine).collect() for frame in frames))

    def _warm_up(self) -> None:
        """Answer once, so that what is worked out of everybody is ready when the first person asks."""
        history = self.opened.task.world.history
        if history.customers:
            name = history.customers[-1]
            self.answer(name, self.of_dataset(name))
