"""The three windows of a run: train, validation, test, one after the other in time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from handoff.config import TrainingConfig
from handoff.dataset import Manifest
from handoff.errors import HandoffError, NotEnoughData

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(text: str) -> datetime:
    """Read an ISO time; one without an offset is UTC. Raises HandoffError."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise HandoffError(f"{text!r} is not an ISO date or time, e.g. 2011-09-09.") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def to_days(time: datetime) -> float:
    """Days since 1970-01-01 UTC, the only unit of time inside `neural`."""
    return (time - EPOCH) / timedelta(days=1)


def to_iso(days: float) -> str:
    return (EPOCH + timedelta(days=days)).isoformat()


@dataclass(frozen=True)
class Windows:
    """Cut-offs in days since 1970. Targets of training end at `validation`, the validation cut-off."""

    start: float  # first event
    validation: float
    test: float
    horizon: float

    @property
    def end(self) -> float:
        return self.test + self.horizon

    @classmethod
    def choose(cls, config: TrainingConfig, manifest: Manifest) -> "Windows":
        """Cut the history. Raises NotEnoughData without events, HandoffError for an impossible cut-off."""
        if manifest.first_event is None or manifest.last_event is None:
            raise NotEnoughData([{"code": "no_events"}])
        first, last = (to_days(parse_time(text)) for text in (manifest.first_event, manifest.last_event))
        horizon = float(config.horizon_days)
        if config.test_cutoff is None:
            return cls(first, last - 2 * horizon, last - horizon, horizon)
        test = to_days(parse_time(config.test_cutoff))
        if test + horizon > last + 1:
            raise HandoffError(
                f"test_cutoff is {config.test_cutoff}; with a horizon of {config.horizon_days} days it must "
                f"be {to_iso(last - horizon)} or earlier, as the last event is of {manifest.last_event}."
            )
        return cls(first, test - horizon, test, horizon)

    def as_json(self) -> dict[str, list[str]]:
        return {
            "train": [to_iso(self.start), to_iso(self.validation)],
            "validation": [to_iso(self.validation), to_iso(self.test)],
            "test": [to_iso(self.test), to_iso(self.end)],
        }
