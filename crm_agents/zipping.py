"""A folder as a zip that is sent while it is made: in bounded memory, and never on disk."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from django.http import StreamingHttpResponse

CHUNK = 1 << 20  # bytes read at a time


class _Sink(io.RawIOBase):
    """Takes what the zip writes until it is passed on."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        content = bytes(data)  # type: ignore[call-overload]  # a buffer
        self._held.append(content)
        return len(content)

    def take(self) -> bytes:
        held, self._held = b"".join(self._held), []
        return held


def zipped(folder: Path, name: str) -> Iterator[bytes]:
    """Yield the parts of a zip that holds every file of `folder` below `name`/.

    Nothing is compressed: weights hardly can be. Times are left out, so one folder gives one zip.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(f"{name}/{path.relative_to(folder).as_posix()}")
                entry.external_attr = 0o644 << 16
                with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                    while chunk := source.read(CHUNK):
                        target.write(chunk)
                        yield sink.take()
        yield sink.take()
    yield sink.take()


def zip_response(folder: Path, name: str) -> StreamingHttpResponse:
    """Return the answer that sends a folder as `name`.zip."""
    answer = StreamingHttpResponse(zipped(folder, name), content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="{name}.zip"'
    return answer
