"""The dataset: one CRM's facts, frozen at a watermark, in Parquet files that torch can read.

    manifest.json              schema version, watermark, counts, currency, sha256 of every file
    events/shard-0000.parquet  EVENTS, sorted by customer, then time, then every other column
    customers.parquet          CUSTOMERS, sorted by customer
    products.parquet           PRODUCTS, sorted by product
    market.parquet             MARKET, sorted by series, scope and date
    labels.parquet             LABELS, what people said; absent where nobody said anything

The same rows give the same files, so the manifest's `sha256` names the data itself.
"""

import hashlib
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import polars as pl

from handoff.errors import HandoffError
from handoff.files import read_json, sha256_of, write_json

SCHEMA_VERSION = 1

UTC_TIME = pl.Datetime("us", "UTC")

EVENTS = pl.Schema(
    {
        "customer": pl.String(),
        "at": UTC_TIME,
        "kind": pl.String(),  # "purchase", "return", "email", …: the Source's own words
        "basket": pl.String(),  # invoice or order; null where the host has none
        "product": pl.String(),  # null where the event is about no product
        "quantity": pl.Float64(),
        "amount": pl.Float64(),  # of the whole line, in the dataset's currency
        "channel": pl.String(),
        "text": pl.String(),
    }
)
CUSTOMERS = pl.Schema(
    {
        "customer": pl.String(),
        "since": UTC_TIME,  # null where unknown
        "attributes": pl.String(),  # JSON object of strings, numbers, booleans and lists of strings
    }
)
PRODUCTS = pl.Schema(
    {
        "product": pl.String(),
        "name": pl.String(),
        "category": pl.String(),
        "price": pl.Float64(),
        "available": pl.Boolean(),  # may be recommended now
    }
)
MARKET = pl.Schema(
    {
        "series": pl.String(),
        "scope": pl.String(),  # "" for the whole market, else a country, category …
        "date": pl.Date(),
        "value": pl.Float64(),
        "known_ahead": pl.Boolean(),  # a holiday is, footfall is not
    }
)
# What members of staff said of a customer, an interaction, a question or a recommended product.
LABELS = pl.Schema(
    {
        "agent": pl.String(),  # the recipe's name
        "subject": pl.String(),  # "customer", "interaction", "question" or "item"
        "customer": pl.String(),  # "" where it is about none
        "key": pl.String(),  # of the interaction or question; the product of an item; else ""
        "at": UTC_TIME,  # the moment that it speaks of
        "said_at": UTC_TIME,
        "label": pl.String(),  # "left", "stayed", an intent …; of an item "accepted", "dismissed", "wrong"
        "text": pl.String(),  # what was labelled, where it is text; else ""
    }
)


def shard_of(customer: str, shards: int) -> int:
    """Return the shard that holds `customer`: stable over machines and library versions."""
    return zlib.crc32(customer.encode()) % shards


def shard_name(shard: int) -> str:
    return f"events/shard-{shard:04d}.parquet"


@dataclass(frozen=True)
class Manifest:
    """What a dataset is: enough to check it, name it and extend it."""

    shards: int
    currency: str
    watermark: str  # ISO time: nothing recorded later is in here
    first_event: str | None  # ISO time
    last_event: str | None  # ISO time
    events: int
    customers: int
    products: int
    kinds: dict[str, int]  # events of each kind
    code_version: str
    tenant: str = ""
    files: dict[str, str] = field(default_factory=dict)  # relative path → sha256
    schema_version: int = SCHEMA_VERSION

    @property
    def sha256(self) -> str:
        """Name of the data: a hash over the files' hashes, independent of when it was built."""
        lines = "".join(f"{path} {digest}\n" for path, digest in sorted(self.files.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


class Dataset:
    """A dataset folder opened for reading."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @classmethod
    def open(cls, folder: Path | str) -> Self:
        """Open a dataset folder. Raises HandoffError for a missing, foreign or newer one."""
        folder = Path(folder)
        raw = read_json(folder / "manifest.json")
        version = raw.get("schema_version")
        if version != SCHEMA_VERSION:
            raise HandoffError(
                f"{folder} has schema version {version}, this code reads {SCHEMA_VERSION}: "
                "build the snapshot again."
            )
        try:
            return cls(folder, Manifest(**raw))
        except TypeError as error:
            raise HandoffError(f"{folder / 'manifest.json'} is not a manifest: {error}.") from error

    def verify(self) -> None:
        """Compare every file with its recorded hash. Raises HandoffError naming the first that differs."""
        verify_files(self.folder, self.manifest.files)

    def events(self, shard: int | None = None) -> pl.LazyFrame:
        """Scan the events of one shard, or of all."""
        if shard is None:
            return pl.scan_parquet(sorted((self.folder / "events").glob("shard-*.parquet")))
        if not 0 <= shard < self.manifest.shards:
            raise HandoffError(f"{self.folder} has {self.manifest.shards} shards, none numbered {shard}.")
        return pl.scan_parquet(self.folder / shard_name(shard))

    def customers(self, shard: int | None = None) -> pl.LazyFrame:
        """Scan the customers of one shard (by `shard_of`), or of all."""
        frame = pl.scan_parquet(self.folder / "customers.parquet")
        if shard is None:
            return frame
        shards = self.manifest.shards
        mine = pl.col("customer").map_elements(
            lambda customer: shard_of(customer, shards) == shard, return_dtype=pl.Boolean
        )
        return frame.filter(mine)

    def products(self) -> pl.LazyFrame:
        return pl.scan_parquet(self.folder / "products.parquet")

    def market(self) -> pl.LazyFrame:
        return pl.scan_parquet(self.folder / "market.parquet")

    def labels(self) -> pl.LazyFrame:
        path = self.folder / "labels.parquet"
        return pl.scan_parquet(path) if path.exists() else pl.LazyFrame(schema=LABELS)


def verify_files(folder: Path, files: dict[str, str]) -> None:
    """Check recorded hashes. Raises HandoffError naming the first file that is missing or differs."""
    for name, digest in sorted(files.items()):
        path = folder / name
        if not path.is_file():
            raise HandoffError(f"{path} is missing.")
        if sha256_of(path) != digest:
            raise HandoffError(f"{path} differs from its recorded SHA-256: it is damaged or was edited.")


def write_events(folder: Path, shard: int, events: pl.DataFrame) -> None:
    """Write one shard in its only order, so that the same rows give the same bytes."""
    path = folder / shard_name(shard)
    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = events.select(EVENTS.names()).cast(EVENTS).sort(EVENTS.names(), nulls_last=False)
    ordered.write_parquet(path, compression="zstd", statistics=True)


def write_table(folder: Path, name: str, frame: pl.DataFrame, schema: pl.Schema) -> None:
    """Write `customers`, `products`, `market` or `labels` in its only order."""
    folder.mkdir(parents=True, exist_ok=True)
    ordered = frame.select(schema.names()).cast(schema).sort(schema.names(), nulls_last=False)
    ordered.write_parquet(folder / f"{name}.parquet", compression="zstd", statistics=True)


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Hash every Parquet file below `folder` and write `manifest.json` last."""
    files = {
        path.relative_to(folder).as_posix(): sha256_of(path) for path in sorted(folder.rglob("*.parquet"))
    }
    raw: dict[str, Any] = {**asdict(manifest), "files": files}
    write_json(folder / "manifest.json", raw)
    return Manifest(**raw)
