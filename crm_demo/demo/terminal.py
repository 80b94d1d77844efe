"""Progress in the terminal: lines that are drawn over, or one line now and then where nobody looks."""

import shutil
import time
from dataclasses import dataclass, field
from typing import TextIO

QUIET_SECONDS = 10.0  # between lines when the output is a file


@dataclass
class Board:
    """A few lines that change in place."""

    out: TextIO
    _height: int = 0
    _last: float = field(default=-QUIET_SECONDS)
    _shown: list[str] = field(default_factory=list)

    def show(self, lines: list[str]) -> None:
        if self.out.isatty():
            self._redraw(lines)
        elif lines != self._shown and time.monotonic() - self._last >= QUIET_SECONDS:
            self.out.write("\n".join(lines) + "\n")
            self._last, self._shown = time.monotonic(), lines
        self.out.flush()

    def _redraw(self, lines: list[str]) -> None:
        width = shutil.get_terminal_size().columns - 1
        up = f"\x1b[{self._height}A" if self._height else ""
        self.out.write(up + "".join(f"\x1b[2K{line[:width]}\n" for line in lines))
        self._height = len(lines)
