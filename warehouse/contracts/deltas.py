"""Contracts of change: the journal of delta files, the last change of each row, and what a row of a delta must be."""

import dataframely as dy
import polars as pl

from warehouse.contracts.contract import about, key_column
from warehouse.contracts.raw import RawJudgements, RawProducts, checked_at


class RawDeltas(dy.Schema):
    """One row per delta file, in the order of sequence_number: the journal.

    Every well-formed row is one of inserted, updated, deleted, unchanged, unknown, superseded and late.
    """

    key = key_column("the sequence_number as text")
    sequence_number = dy.Int64(
        nullable=False, metadata=about("number of the file, from 1 on, in the order in which files came in")
    )
    name = dy.String(nullable=False, metadata=about("file name; with the hash it says whether a file came in before"))
    sha256 = dy.String(nullable=False, regex="^[0-9a-f]{64}$", metadata=about("hash of the file's bytes"))
    size_bytes = dy.Int64(nullable=False, metadata=about("size of the file, in bytes"))
    table = dy.String(nullable=False, metadata=about("the raw table that it speaks of"))
    rows = dy.Int64(nullable=False, metadata=about("rows in the file: upserts, deletes and refused"))
    upserts = dy.Int64(
        nullable=False, metadata=about("well-formed rows that put a whole row in the place of the one before")
    )
    deletes = dy.Int64(nullable=False, metadata=about("well-formed rows that take a row out"))
    refused = dy.Int64(nullable=False, metadata=about("rows that broke a rule: they are in quarantine.rows"))
    inserted = dy.Int64(nullable=False, metadata=about("rows that were not there before"))
    updated = dy.Int64(nullable=False, metadata=about("rows that were there with another content"))
    deleted = dy.Int64(nullable=False, metadata=about("rows that were there and are gone"))
    unchanged = dy.Int64(nullable=False, metadata=about("upserts of what was there already"))
    unknown = dy.Int64(
        nullable=False, metadata=about("deletes of what was not there: each leaves a tombstone all the same")
    )
    superseded = dy.Int64(
        nullable=False, metadata=about("rows after which the same file says something else of the same key")
    )
    late = dy.Int64(
        nullable=False, metadata=about("rows older than what was there: they came too late to change anything")
    )
    snapshot = dy.Int64(nullable=False, metadata=about("the lake's snapshot that brought the file in"))
    checked_at = checked_at()


class RawEvents(dy.Schema):
    """One row per key of a raw table that a delta file changed last since the table's file came in.

    A delete's row is a tombstone: an older upsert that comes later does not bring the row back.
    """

    key = key_column("the table, a space, the row's key")
    table = dy.String(nullable=False, metadata=about("the raw table"))
    row_key = dy.String(nullable=False, metadata=about("the row's key in it"))
    op = dy.String(nullable=False, metadata=about("upsert, or delete for a tombstone"))
    event_time = dy.Datetime(
        nullable=True,
        time_unit="us",
        time_zone="UTC",
        metadata=about("newest time that a delta gave for the row; what is older comes too late"),
    )
    sequence_number = dy.Int64(nullable=False, metadata=about("the delta file that changed the row last"))

    @dy.rule()
    def unknown_op(cls) -> pl.Expr:
        """A row is put in or taken out."""
        return pl.col("op").is_in(["upsert", "delete"])


def _event_time() -> dy.Datetime:
    return dy.Datetime(nullable=True, time_unit="us", time_zone="UTC", metadata=about("when it happened"))


class DeltaRow(dy.Schema):
    """One row of a delta file: what is the same for all of them."""

    op = dy.String(nullable=True, metadata=about("upsert or delete"))
    event_time_text = dy.String(nullable=True, metadata=about("when it happened, as the file has it"))

    @dy.rule()
    def unknown_op(cls) -> pl.Expr:
        """A row is put in or taken out."""
        return pl.col("op").is_in(["upsert", "delete"]).fill_null(False)

    @dy.rule()
    def event_time_malformed(cls) -> pl.Expr:
        """A time that is given can be read as one."""
        return pl.col("event_time").is_not_null() | pl.col("event_time_text").is_null()


class ProductUpsert(RawProducts, DeltaRow):
    """One row per product that a delta puts in, whole: a column that is not given is null from then on."""

    event_time = _event_time()


class ProductDelete(DeltaRow):
    """One row per product that a delta takes out, of which only the key counts."""

    key = key_column("product_locale:product_id")
    product_id = RawProducts.product_id
    product_locale = RawProducts.product_locale
    event_time = _event_time()


class JudgementUpsert(RawJudgements, DeltaRow):
    """One row per judgement that a delta puts in, whole: a column that is not given is null from then on."""


class JudgementDelete(DeltaRow):
    """One row per judgement that a delta takes out, of which only the key counts."""

    key = key_column("product_locale:query_id:product_id")
    query_id = RawJudgements.query_id
    product_id = RawJudgements.product_id
    product_locale = RawJudgements.product_locale
    event_time = _event_time()
