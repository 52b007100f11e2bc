"""Judgements: rows of a declared source become rows of raw.judgements, one per query and product."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from warehouse.conversion import labels
from warehouse.conversion.typed_rows import make, problems_of, split_note, typing_rows
from warehouse.declaration.problems import Converted
from warehouse.declaration.source import Source
from warehouse.lake.lake import scalar
from warehouse.wording import counted

_DERIVED = ("query_id", "example_id", "split", "small_version", "large_version")
_FAULTS = "SELECT file, row, unnest(problems, recursive := true) FROM judgement_rows WHERE len(problems) > 0"
_DUPLICATES = (
    "SELECT file, row, 'product_id' AS \"column\", product_id AS value, 'duplicate_key' AS rule "
    "FROM judgement_rows JOIN judgement_pairs AS pairs USING (locale, query_id, product_id) "
    "WHERE len(problems) = 0 AND pairs.rows > 1 AND (file, row) <> (pairs.first.file, pairs.first.row)"
)


def convert_judgements(
    connection: duckdb.DuckDBPyConnection, source: Source, rows: str, path: Path, *, now: datetime | None = None
) -> Converted:
    """Write the judgements of a source to a parquet file with the columns of raw.judgements, in the order of their keys.

    A label follows `source.labels`. Several rows of a query and product become one by `labels.combine`: its query,
    context_key, split and example_id are those of the first row, its event_time is the newest. A row with a problem is left
    out. What the source does not declare is derived:

    - query_id: a hash of locale and normalized query, a whole number from 1 to 2^53 - 1; so is a declared id that is
      not a whole number, such as `q-17`;
    - example_id: such a hash of locale, query_id and product_id;
    - split: test for a fifth of the normalized queries, by a hash, else train.

    Args:
        connection: The database with the rows; it gets no table that stays.
        source: A source of judgements.
        rows: Name of a table or view with file, row and the declared columns as text.
        path: The parquet file to write.
        now: A later event_time is a problem; None: the current time.

    Raises:
        WarehouseError: No label is known, or a threshold leaves its label empty.
    """
    rule, thresholds = source.labels, source.labels.thresholds or {}
    files = ", ".join(source.files)
    with typing_rows(connection, source, rows) as declared:
        labels.spell(connection, rule)
        parameters = {
            "exact": thresholds.get("E"),
            "substitute": thresholds.get("S"),
            "complement": thresholds.get("C"),
            **{f"has_{name}": name in declared for name in _DERIVED},
            "combine": rule.combine,
            "now": now or datetime.now(UTC),
        }
        make(connection, "judgement_rows", parameters)
        labels.refuse_unknown(connection, rule, files)
        make(connection, "judgement_pairs", parameters)
        labels.refuse_empty(connection, rule, files)
        make(connection, "judgements", parameters)
        connection.sql("FROM judgements").write_parquet(str(path))
        refused = (_FAULTS, _DUPLICATES) if rule.combine == "refuse" else (_FAULTS,)
        return Converted(path, problems_of(connection, *refused), _notes(connection, source, declared))


def _notes(connection: duckdb.DuckDBPyConnection, source: Source, declared: set[str]) -> tuple[str, ...]:
    notes = []
    if "query_id" not in declared:
        notes.append("query_id derived from query and locale")
    if "example_id" not in declared:
        notes.append("example_id derived from locale, query_id and product_id")
    for name in sorted({"query_id", "example_id"} & declared):
        where = f"NOT is_blank({name}) AND NOT is_whole({name})"
        if texts := scalar(connection, f"SELECT count(DISTINCT {name}) FROM source_rows WHERE {where}"):
            notes.append(f"{name} hashed to a number where it is text: {counted(texts, 'id')}")
    if "split" not in declared:
        notes.append(split_note(connection))
    repeated = scalar(connection, "SELECT coalesce(sum(rows - 1), 0) FROM judgement_pairs")
    if repeated and source.labels.combine != "refuse":
        combined = counted(repeated, "further row")
        notes.append(f"{combined} of the same query and product combined by {source.labels.combine}")
    if not scalar(connection, "SELECT count(*) FROM judgements WHERE esci_label = 'E'"):
        notes.append("no judgement is Exact")
    return tuple(notes)
