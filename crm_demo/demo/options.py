"""What a person may ask of the demo, checked before anything is touched."""

import hashlib
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class DemoRefused(Exception):
    """The demo cannot begin; the message says why and what to do."""


@dataclass(frozen=True)
class DemoOptions:
    """Where the data come from and where the site listens."""

    customers: int = 3000
    seed: int = 1
    data: Path | None = None  # a file of transactions instead of the simulator
    port: int = 8000
    fresh: bool = False
    exit: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def fingerprint(self) -> dict[str, Any]:
        """Name the data, so that the next start can tell whether they are the same."""
        if self.data is None:
            return {"kind": "simulator", "customers": self.customers, "seed": self.seed}
        with self.data.open("rb") as file:
            return {"kind": "file", "sha256": hashlib.file_digest(file, "sha256").hexdigest()}

    def check(self) -> None:
        """Raise DemoRefused for a file that cannot be read or a port that is taken."""
        if self.data is not None and not self.data.is_file():
            raise DemoRefused(
                f"DATA={self.data} is not a file. README.md says where to get Online Retail II."
            )
        if not 1 <= self.port <= 65535:
            raise DemoRefused(f"PORT={self.port} is no port; choose one from 1024 to 65535.")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                raise DemoRefused(
                    f"Port {self.port} cannot be used ({error.strerror}). "
                    f"Choose another one: make demo PORT={self.port + 1}"
                ) from error


def secret_key(folder: Path) -> str:
    """Return the secret key kept in `folder`, drawing one at the first start."""
    path = folder / "secret-key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()
