"""Staging: refresh the cleaned tables from the raw ones, cleaning only the rows with new input."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from warehouse.contracts.contract import INPUT_HASH, VIOLATION_SCHEMA, split_rows
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import quarantine, tables
from warehouse.lake.dependencies import DERIVATIONS
from warehouse.lake.incremental import following, made_by, restricted
from warehouse.lake.lake import WIDE_STREAM, Lake
from warehouse.lake.loss_guard import GUARDED, Loss, refuse_loss, rule_counts
from warehouse.lake.reconcile import plan
from warehouse.lake.watermarks import RunWatermarks
from warehouse.transform import content_hash, text_cleaning
from warehouse.transform.prefetch import ahead

Cleaner = Callable[[pl.LazyFrame], pl.LazyFrame]


@dataclass(frozen=True)
class Cleaned:
    """Count the cleaned rows of a refresh, the changes of the table, and the refused rows."""

    cleaned: int
    inserted: int
    updated: int
    deleted: int
    quarantined: int


def refresh_products(
    lake: Lake, run_watermarks: RunWatermarks | None = None, *, whole: bool = False, allow_loss: bool = False
) -> Cleaned:
    """Refresh staging.products from raw.products; `whole` compares every row, whatever the watermark says.

    Raises:
        WarehouseError: No product is left after cleaning, or too many would be removed without permission; the table is
            unchanged.
    """
    source = "SELECT * FROM raw.products"
    return _reclean(
        lake,
        "staging.products",
        source,
        text_cleaning.clean_products,
        run_watermarks,
        whole=whole,
        allow_loss=allow_loss,
    )


def refresh_queries(lake: Lake, run_watermarks: RunWatermarks | None = None, *, whole: bool = False) -> Cleaned:
    """Refresh staging.queries from raw.judgements, raw.sources and staging.products."""
    source = f"SELECT *, md5(to_json(q)::VARCHAR) AS {INPUT_HASH} FROM ({tables.sql('staging.queries')}) AS q"
    return _reclean(lake, "staging.queries", source, text_cleaning.clean_queries, run_watermarks, whole=whole)


def _reclean(
    lake: Lake,
    table: str,
    source: str,
    clean: Cleaner,
    run_watermarks: RunWatermarks | None,
    *,
    whole: bool,
    allow_loss: bool = False,
) -> Cleaned:
    """Clean the rows of `source` (an SQL query with key and input_hash) that are new or changed, in batches.

    Without `whole`, only the rows are compared that a source change since the table's watermark may affect.
    """
    contract, derivation = CONTRACTS[table], DERIVATIONS[table]
    rules = f"{text_cleaning.version()}:{contract.version}"
    refused = [pl.DataFrame(schema=VIOLATION_SCHEMA | {INPUT_HASH: pl.String})]
    lake.require()
    # The second cursor sees the committed state, and streams its results.
    with (run_watermarks or lake).writing() as writer, writer.cursor() as reader, writer.cursor() as hasher:
        reader.execute("USE lake")
        reader.execute(WIDE_STREAM)
        tables.ensure(writer, contract)
        with following(
            writer, derivation, made_by(derivation, lake.settings), run_watermarks, whole=whole
        ) as pending_rows:
            if pending_rows.is_nothing:
                return Cleaned(0, 0, 0, 0, quarantined=0)
            rows_before = tables.count(writer, table) if table in GUARDED else 0
            where, refused_before = "true", quarantine.hashes(writer, table)
            source = restricted(reader, derivation, source, pending_rows)
            if pending_rows.keys is not None:
                where = "key IN (FROM dirty_keys)"
                writer.register("dirty_keys", pending_rows.keys)
                refused_before = refused_before.join(pending_rows.keys, on="key", how="semi")
            desired = reader.sql(
                f"SELECT key, concat({INPUT_HASH}, ':', '{rules}') AS {INPUT_HASH} FROM ({source})"
            ).pl()
            current = tables.hashes(writer, contract, where)
            change = plan(desired, pl.concat([content_hash.without_content(current), refused_before]))

            def batches() -> Iterator[pl.DataFrame]:
                if not change.upsert.height:
                    return
                reader.register("upsert_keys", change.upsert)
                for batch in reader.sql(f"SELECT * FROM ({source}) WHERE key IN (FROM upsert_keys)").to_arrow_reader(
                    lake.settings.batch_rows
                ):
                    raw = pl.DataFrame(batch).lazy()
                    hashed = raw.select("key", pl.concat_str(INPUT_HASH, pl.lit(rules), separator=":"))
                    frame = clean(raw).select(*contract.columns).join(hashed, on="key", maintain_order="left").collect()
                    good, violations = split_rows(contract, frame)
                    refused.append(violations.join(frame.select("key", INPUT_HASH), on="key"))
                    yield content_hash.with_content(hasher, contract, good)

            # The next batch is cleaned while the last is written.
            counts = tables.write(writer, contract, change, current, ahead(batches()))
            violations = pl.concat(refused)
            if table in GUARDED:
                rows_after, broken = tables.count(writer, table), rule_counts(violations)
                loss = Loss(table, "cleaning of raw.products", rows_before, counts.deleted, rows_after, broken)
                refuse_loss(loss, lake.settings.max_loss_share, allow_loss)
            quarantine.replace(writer, table, violations, change.obsolete)
    return Cleaned(change.upsert.height, *counts, quarantined=violations["key"].n_unique())
