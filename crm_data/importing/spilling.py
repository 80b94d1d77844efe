"""Rows of a file, parted by customer into temporary Parquet files: only one part is in memory."""

import errno
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from django.utils.translation import gettext as _

from crm_data.importing.errors import ImportRefused

_PART_BYTES = 16 * 2**20  # of the plain CSV
_MOST_PARTS = 512
_GZIP_RATIO = 8
_LEFT_SECONDS = 86_400


def parts_for(path: Path) -> int:
    """Return how many parts keep each of a bearable size, guessed from the file's size."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    plain = path.stat().st_size * (_GZIP_RATIO if packed else 1)
    return min(_MOST_PARTS, plain // _PART_BYTES + 1)


class Parts:
    """A folder of parts: batches are added to them, then each is read as one frame."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self.count = count
        self._batches = 0

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows; equal rows, and all rows of one customer, come to the same part."""
        owner = pl.coalesce("customer", "invoice", pl.lit(""))
        numbered = rows.with_columns(part=(owner.hash(seed=0) % self.count).cast(pl.UInt32))
        for (part,), piece in numbered.partition_by("part", as_dict=True, include_key=False).items():
            write_parquet(piece, self._folder / f"raw-{part:04d}-{self._batches:06d}.parquet")
        self._batches += 1

    def read(self, part: int) -> pl.DataFrame | None:
        """Return all rows of one part in the file's order and remove its files; None for an empty part."""
        paths = sorted(self._folder.glob(f"raw-{part:04d}-*.parquet"))
        if not paths:
            return None
        frame = pl.read_parquet(paths).sort("line")
        for path in paths:
            path.unlink()
        return frame

    def keep(self, part: int, rows: pl.DataFrame) -> None:
        """Put the settled rows of one part aside for the writer."""
        write_parquet(rows, self._folder / f"kept-{part:04d}.parquet")

    def kept(self) -> list[Path]:
        return sorted(self._folder.glob("kept-*.parquet"))


@contextmanager
def spilling(root: Path, parts: int) -> Iterator[Parts]:
    """Make a temporary folder below `root` for the `with` block. Raises ImportRefused if it cannot be."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(root)
        folder = Path(tempfile.mkdtemp(prefix="import-", dir=root))
    except OSError as error:
        raise ImportRefused(_no_room(root, error)) from error
    try:
        yield Parts(folder, parts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(root: Path) -> None:
    """Remove folders of imports that were killed before they could."""
    for folder in root.glob("import-*"):
        if time.time() - folder.stat().st_mtime > _LEFT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a temporary file. Raises ImportRefused naming the folder when the disk is full."""
    try:
        frame.write_parquet(path, compression="lz4", statistics=False)
    except (OSError, pl.exceptions.ComputeError) as error:
        raise ImportRefused(_no_room(path.parent, error)) from error


def _no_room(folder: Path, error: Exception) -> str:
    full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
    reason = _("the disk is full") if full else str(error)
    return _(
        "Temporary files cannot be written to %(folder)s: %(reason)s. Make room there, or name another "
        "folder with --work-folder. Nothing was imported."
    ) % {"folder": folder, "reason": reason}
