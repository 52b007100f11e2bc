"""Contracts of deltas: the log of applied delta files, the last change of each row, and the rules for rows of a delta file."""

import dataframely as dy
import polars as pl

from warehouse.contracts.contract import about, key_column
from warehouse.contracts.tables.raw import RawJudgements, RawProducts, checked_at


class RawDeltas(dy.Schema):
    """One row per applied delta file: the number of rows with each effect.

    Every valid row of a file counts once: as inserted, updated, deleted, unchanged, unknown, superseded or late.
    """

    key = key_column("sequence_number as text")
    sequence_number = dy.Int64(nullable=False, metadata=about("number of the file in the order of ingestion, from 1"))
    name = dy.String(nullable=False, metadata=about("file name; a file with the same name and hash is applied once"))
    sha256 = dy.String(nullable=False, regex="^[0-9a-f]{64}$", metadata=about("SHA-256 of the file's bytes"))
    size_bytes = dy.Int64(nullable=False, metadata=about("size of the file, in bytes"))
    table = dy.String(nullable=False, metadata=about("raw table that the file changes"))
    rows = dy.Int64(nullable=False, metadata=about("number of rows in the file: upserts, deletes and refused rows"))
    upserts = dy.Int64(nullable=False, metadata=about("number of valid upserts; each replaces a whole row"))
    deletes = dy.Int64(nullable=False, metadata=about("number of valid deletes"))
    refused = dy.Int64(nullable=False, metadata=about("number of rows that break a rule; they are in quarantine.rows"))
    inserted = dy.Int64(nullable=False, metadata=about("number of rows added to the table"))
    updated = dy.Int64(nullable=False, metadata=about("number of rows replaced by a different row"))
    deleted = dy.Int64(nullable=False, metadata=about("number of rows removed from the table"))
    unchanged = dy.Int64(nullable=False, metadata=about("number of upserts equal to the existing row"))
    unknown = dy.Int64(
        nullable=False, metadata=about("number of deletes of a key without a row; each leaves a tombstone")
    )
    superseded = dy.Int64(
        nullable=False, metadata=about("number of rows replaced by a later row of the same file with the same key")
    )
    late = dy.Int64(
        nullable=False, metadata=about("number of rows older than the last change of their key; they have no effect")
    )
    snapshot = dy.Int64(
        nullable=False, metadata=about("id of the lake snapshot that first contains the file's changes")
    )
    checked_at = checked_at()


class RawEvents(dy.Schema):
    """One row per key that delta files changed since the last full file of its raw table: the newest change.

    The row of a delete is a tombstone: an older upsert that is ingested later does not restore the product or judgement.
    """

    key = key_column("table, a space, and row_key")
    table = dy.String(nullable=False, metadata=about("name of the raw table"))
    row_key = dy.String(nullable=False, metadata=about("key in the raw table"))
    op = dy.String(nullable=False, metadata=about("upsert, or delete for a tombstone"))
    event_time = dy.Datetime(
        nullable=True,
        time_unit="us",
        time_zone="UTC",
        metadata=about("newest event_time of a change to the key; an older change is late"),
    )
    sequence_number = dy.Int64(nullable=False, metadata=about("sequence number of the delta file with the last change"))

    @dy.rule()
    def unknown_op(cls) -> pl.Expr:
        """The op is upsert or delete."""
        return pl.col("op").is_in(["upsert", "delete"])


def _event_time() -> dy.Datetime:
    return dy.Datetime(nullable=True, time_unit="us", time_zone="UTC", metadata=about("time of the change"))


class DeltaRow(dy.Schema):
    """One row of a delta file: the columns that all delta files share."""

    op = dy.String(nullable=True, metadata=about("upsert or delete"))
    event_time_text = dy.String(nullable=True, metadata=about("time of the change, as text in the file"))

    @dy.rule()
    def unknown_op(cls) -> pl.Expr:
        """The op is upsert or delete."""
        return pl.col("op").is_in(["upsert", "delete"]).fill_null(False)

    @dy.rule()
    def event_time_malformed(cls) -> pl.Expr:
        """An event_time in the file is a valid time."""
        return pl.col("event_time").is_not_null() | pl.col("event_time_text").is_null()


class ProductUpsert(RawProducts, DeltaRow):
    """One row per upserted product. An upsert replaces the whole row: a column that the file lacks becomes null."""

    event_time = _event_time()


class ProductDelete(DeltaRow):
    """One row per deleted product; only the key is read."""

    key = key_column("product_locale:product_id")
    product_id = RawProducts.product_id
    product_locale = RawProducts.product_locale
    event_time = _event_time()


class JudgementUpsert(RawJudgements, DeltaRow):
    """One row per upserted judgement. An upsert replaces the whole row: a column that the file lacks becomes null."""


class JudgementDelete(DeltaRow):
    """One row per deleted judgement; only the key is read."""

    key = key_column("product_locale:query_id:product_id")
    query_id = RawJudgements.query_id
    product_id = RawJudgements.product_id
    product_locale = RawJudgements.product_locale
    event_time = _event_time()
