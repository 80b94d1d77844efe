"""Progress of a long command on a terminal, or as an occasional line where there is none."""

import time
from typing import TextIO

_WIDTH = 30
_LINE_SECONDS = 10.0
_BAR_SECONDS = 0.1


class ProgressBar:
    """Callable as `bar(phase, done, of)`; writes to `stream`, which should be standard error."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._phase = ""
        self._written = float("-inf")
        self._started = 0.0

    def __call__(self, phase: str, done: int, of: int) -> None:
        now = time.monotonic()
        if phase != self._phase:
            self.close()
            self._phase, self._started, self._written = phase, now, float("-inf")
        pause = _BAR_SECONDS if self._live else _LINE_SECONDS
        if done < of and now - self._written < pause:
            return
        self._written = now
        self._write(done, of, now - self._started)

    def close(self) -> None:
        """End the line of the bar."""
        if self._phase and self._live:
            self._stream.write("\n")
        self._phase = ""

    def _write(self, done: int, of: int, seconds: float) -> None:
        share = min(1.0, done / of) if of else 1.0
        left = f"{seconds / share * (1 - share):.0f} s left" if 0 < share < 1 else f"{seconds:.1f} s"
        if self._live:
            filled = round(share * _WIDTH)
            bar = "█" * filled + "░" * (_WIDTH - filled)
            self._stream.write(f"\r{self._phase:<9} {bar} {share:4.0%}  {left:<16}")
        else:
            self._stream.write(f"{self._phase} {share:.0%}, {left}\n")
        self._stream.flush()
