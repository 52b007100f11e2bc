"""Examples: judgements from a file that is not in the lake, read by the same rules as the lake's own."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl

from warehouse.contracts.contract import split_rows
from warehouse.ingest.input_rules import ingest_rules
from warehouse.ingest.sources import SOURCE_SPECS, check
from warehouse.lake.lake import connect
from warehouse.paths import plain_path
from warehouse.readers.file_advice import no_file
from warehouse.readers.file_columns import unreadable
from warehouse.transform.text_cleaning import clean_line


@dataclass(frozen=True)
class Examples:
    """The usable judgements of an examples file, and the unusable rest.

    `judgements` has locale, query_id, query (cleaned), product_id and label. `missing` names the judged products that are
    not in the catalog (key). `refused` counts rows by the rule that they broke.
    """

    judgements: pl.DataFrame
    missing: list[str]
    refused: dict[str, int]


def read_examples(path: Path, catalog: pl.Series, now: datetime | None = None) -> Examples:
    """Read an ESCI examples file and keep the judgements of products in the catalog (a series of product keys).

    A judgement with an event_time later than `now` (None: the current time) is refused.

    Raises:
        WarehouseError: The file is missing or corrupt, or a column is missing or has another type.
    """
    source_spec = next(source_spec for source_spec in SOURCE_SPECS if source_spec.table == "raw.judgements")
    if not path.is_file():
        raise no_file(path, "give an ESCI examples file: --examples FILE")
    check(path, source_spec)
    with connect(memory_gb=2.0) as connection:
        try:
            rows = connection.execute(
                f"WITH source AS (SELECT file_row_number AS row, {source_spec.columns_sql} FROM {source_spec.source_sql}) "
                f"SELECT *, {source_spec.key_sql} AS key FROM source ORDER BY row",
                {"path": str(plain_path(path))},
            ).pl()
        except duckdb.Error as error:
            raise unreadable(path, error) from error
    good, violations = split_rows(
        source_spec.contract, rows, ingest_rules(source_spec.columns, now or datetime.now(UTC))
    )
    first = good.unique("key", keep="first", maintain_order=True)
    cleaned = first.with_columns(query=clean_line("query")).rename({"product_locale": "locale", "esci_label": "label"})
    named = cleaned.filter(pl.col("query").is_not_null()).with_columns(
        pl.col("query").sort_by("example_id", "product_id").first().over("locale", "query_id"),
        product_key=pl.concat_str("locale", "product_id", separator=":"),
    )
    refused = Counter(dict(violations.group_by("rule").len().iter_rows()))
    refused["duplicate_key"] += good.height - first.height
    refused["query_missing"] += cleaned.height - named.height
    is_known = pl.col("product_key").is_in(catalog.implode())
    return Examples(
        judgements=named.filter(is_known).select("locale", "query_id", "query", "product_id", "label"),
        missing=named.filter(~is_known)["product_key"].unique().sort().to_list(),
        refused={rule: count for rule, count in sorted(refused.items()) if count},
    )
