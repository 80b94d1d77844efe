"""One file from disk to tables: all of it or nothing."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import polars as pl
from django.db import DatabaseError, IntegrityError, router, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm_data.builtin import BuiltInSource
from crm_data.clock import minute
from crm_data.conf import root
from crm_data.digests import ErasureKeyMissing
from crm_data.importing.cleaning import Cleaner
from crm_data.importing.errors import ImportRefused
from crm_data.importing.gathering import Gathered
from crm_data.importing.mapping import settle_options
from crm_data.importing.options import ImportOptions
from crm_data.importing.reading import CsvFile, open_csv
from crm_data.importing.report import REASONS, ImportReport
from crm_data.importing.settling import Settled, settle
from crm_data.importing.spilling import Parts, parts_for, spilling
from crm_data.importing.writing import write_customers, write_interactions, write_products
from crm_data.models import ImportBatch, Interaction
from crm_data.reading import UnknownCurrency, rate
from crm_data.selectors import get_source
from crm_data.suppression import Suppressed
from handoff.files import sha256_of

_LEAST_KEPT = 0.01  # of the rows; a file of which less can be used was not understood

# phase ("reading" | "sorting" | "storing"), done, of
OnProgress = Callable[[str, int, int], None]


def import_transactions(
    path: Path,
    options: ImportOptions | None = None,
    *,
    again: bool = False,
    work_folder: Path | None = None,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Import one CSV file of transactions into the built-in tables and return what was done.

    A file that was imported before is imported once more only when `again` is set; lines that are still
    stored are then not stored twice.
    Raises ImportRefused naming what is wrong and what to do; then nothing has been stored.
    """
    started = time.monotonic()
    tell = on_progress or _silent
    options = options or ImportOptions()
    options.check()
    with open_csv(path, options) as file:
        options = settle_options(options, file.header, currency=get_source().currency)
        _refuse_currency_without_rate(options)
        report = ImportReport(path.name, sha256_of(path), asdict(options))
        earlier = None if again else _earlier(report, options)
        if earlier is not None:
            return earlier
        with spilling(work_folder or root() / "imports", parts_for(path)) as parts:
            _read(file, path, options, parts, report, tell)
            suppressed = _suppressed()
            gathered = _sort(parts, options, report, suppressed, tell)
            _store(parts, gathered, options, report, suppressed, started, tell, again=again)
    return report


def _silent(_phase: str, _done: int, _of: int) -> None:
    pass


def _refuse_currency_without_rate(options: ImportOptions) -> None:
    """Refuse amounts that no snapshot could read. A host's own Source does not read them at all."""
    source = get_source()
    if "price" not in options.columns or not isinstance(source, BuiltInSource):
        return
    try:
        rate(source, options.currency)
    except UnknownCurrency as error:
        raise ImportRefused(
            _(
                "The prices are in %(given)s, but amounts are kept in %(own)s and no rate is named. Where "
                'all amounts are in %(given)s, set CRM_AGENTS["CURRENCY"] = "%(given)s"; else name in '
                'CRM_AGENTS["SOURCE"] a Source derived from %(source)s with '
                'rates = {"%(given)s": <%(own)s for one %(given)s>}.'
            )
            % {"given": options.currency, "own": source.currency, "source": type(source).__name__}
        ) from error


def _earlier(report: ImportReport, options: ImportOptions) -> ImportReport | None:
    """Return the report of an earlier import of the same file with the same options, if there was one."""
    batches = ImportBatch.objects.filter(sha256=report.sha256)
    same = batches.filter(mapping_sha256=options.sha256()).first()
    if same is not None:
        return ImportReport.from_json({**same.report, "already_imported": True})
    other = batches.first()
    if other is not None:
        raise ImportRefused(
            _(
                "%(file)s was imported on %(date)s with other options, so its lines may be stored twice. "
                "Delete those interactions first, or import nevertheless with --again."
            )
            % {"file": report.file, "date": minute(other.created_at)}
        )
    return None


def _read(
    file: CsvFile, path: Path, options: ImportOptions, parts: Parts, report: ImportReport, tell: OnProgress
) -> None:
    size = path.stat().st_size
    cleaner = Cleaner(options, report)
    for batch in file.batches(dict(options.columns)):
        parts.add(cleaner.clean(batch))
        tell("reading", file.position(), size)
    report.rows_read += file.broken_rows
    report.drop("broken", file.broken_rows, file.broken)
    if not report.rows_read:
        raise ImportRefused(_("%(path)s has a header but no rows.") % {"path": path})
    cleaner.refuse_wrong_columns()


def _suppressed() -> Suppressed:
    try:
        return Suppressed()
    except ErasureKeyMissing as error:
        raise ImportRefused(str(error)) from error


def _sort(
    parts: Parts, options: ImportOptions, report: ImportReport, suppressed: Suppressed, tell: OnProgress
) -> Gathered:
    gathered = Gathered()
    now = timezone.now()
    for part in range(parts.count):
        rows = parts.read(part)
        if rows is not None:
            settled = settle(rows, options, report, now=now, suppressed=suppressed)
            report.purchases += settled.purchases.height
            report.returns += settled.returns.height
            if settled.purchases.height:
                gathered.add(settled.purchases)
                _keep(parts, part, settled, options, report)
        tell("sorting", part + 1, parts.count)
    erased = report.dropped["erased"].rows if "erased" in report.dropped else 0
    if erased and not report.kept:
        raise ImportRefused(
            _("%(file)s holds nothing but rows of customers who were erased, and broken ones.")
            % {"file": report.file}
        )
    if report.kept < max(1, _LEAST_KEPT * (report.rows_read - erased)):
        raise ImportRefused(_hardly_any_kept(report))
    return gathered


def _keep(parts: Parts, part: int, settled: Settled, options: ImportOptions, report: ImportReport) -> None:
    rows = pl.concat([settled.purchases, settled.returns]).sort("customer", "at", "line")
    first, last = rows.select(first=pl.col("at").min(), last=pl.col("at").max()).row(0)
    report.first = min(filter(None, (report.first, first.isoformat())))
    report.last = max(filter(None, (report.last, last.isoformat())))
    parts.keep(
        part,
        rows.select(
            "customer",
            "product",
            "kind",
            "at",
            "quantity",
            "key",
            "return_of",
            amount=(pl.col("quantity") * pl.col("price")).round(2),
            currency=pl.lit(options.currency or ""),
            basket=pl.col("invoice").fill_null(""),
        ),
    )


def _store(
    parts: Parts,
    gathered: Gathered,
    options: ImportOptions,
    report: ImportReport,
    suppressed: Suppressed,
    started: float,
    tell: OnProgress,
    *,
    again: bool,
) -> None:
    using = router.db_for_write(Interaction)
    done = 0

    def on_rows(rows: int) -> None:
        nonlocal done
        done += rows
        tell("storing", done, report.kept)

    try:
        with transaction.atomic(using=using):
            # First of all, so that a second import of the file waits here, and then fails or stores the rest.
            batch = _batch(report, options, again=again, using=using)
            if Suppressed().erasures != suppressed.erasures:
                raise ImportRefused(
                    _("A customer was erased while the file was read. Import it again; nothing was stored.")
                )
            customers, products = gathered.customers(), gathered.products()
            report.customers, report.products = customers.height, products.height
            report.customers_new = write_customers(customers, using=using)
            report.products_new = write_products(products, using=using)
            stored = write_interactions(parts.kept(), changed_at=timezone.now(), using=using, on_rows=on_rows)
            report.already_stored = report.kept - stored
            _clock(report, started)
            batch.report = report.as_json()
            batch.save(update_fields=["report"])
    except DatabaseError as error:
        raise ImportRefused(_database_message(report, error)) from error
    _clock(report, started)


def _batch(report: ImportReport, options: ImportOptions, *, again: bool, using: str) -> ImportBatch:
    named = {"sha256": report.sha256, "mapping_sha256": options.sha256()}
    batches = ImportBatch.objects.using(using)
    if again and batches.filter(**named).update(created_at=timezone.now()):  # locks the row
        return batches.get(**named)
    return batches.create(file_name=report.file[:255], **named)


def _clock(report: ImportReport, started: float) -> None:
    report.seconds = round(time.monotonic() - started, 2)
    report.rows_per_second = round(report.rows_read / max(report.seconds, 0.01), 1)


def _hardly_any_kept(report: ImportReport) -> str:
    worst = max(report.dropped, key=lambda reason: report.dropped[reason].rows)
    item = report.dropped[worst]
    return _(
        "Only %(kept)d of the %(read)d rows of %(file)s can be used, so the columns seem wrong. "
        "Most often: %(reason)s (%(rows)d rows, first in "
        "line %(line)s). Check --map, --product-pattern and --date-format."
    ) % {
        "kept": report.kept,
        "read": report.rows_read,
        "file": report.file,
        "reason": REASONS[worst],
        "rows": item.rows,
        "line": item.lines[0] if item.lines else "?",
    }


def _database_message(report: ImportReport, error: DatabaseError) -> str:
    text = " ".join(str(error).split())
    names = (ImportBatch._meta.db_table, *(item.name for item in ImportBatch._meta.constraints))
    if isinstance(error, IntegrityError) and any(name in text for name in names):
        return _("%(file)s was imported by someone else at this very moment.") % {"file": report.file}
    if any(words in text for words in ("disk is full", "No space left", "could not extend file")):
        return _(
            "The database's disk is full (%(error)s). Make room and import again; nothing was stored."
        ) % {"error": text}
    return _("The database refused the import (%(error)s). Nothing was stored.") % {"error": text}
