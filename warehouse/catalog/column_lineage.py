"""Column lineage: the source columns of every column, read from the SQL files, the sources and the declarations.

The lineage covers only the values of a row, not the joins and filters that determine whether the row exists.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import PurePath
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH, Contract
from warehouse.contracts.esci_files import EXAMPLES_FILE, PRODUCTS_FILE
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import FeatureView, FeatureViews
from warehouse.conversion.products import PRODUCT_COLUMNS
from warehouse.declaration.columns import file_columns
from warehouse.declaration.source import Source
from warehouse.errors import WarehouseError
from warehouse.ingest.sources import SOURCE_SPECS, SourceSpec
from warehouse.lake import tables
from warehouse.transform import text_cleaning

Column = tuple[str, str]  # a table, or a file's name, and its column

# The sources of the columns that `assets/evaluation/evaluation_tables.py` computes; their other columns are measures.
_EVALUATED: Mapping[str, tuple[Column, ...]] = {
    "locale": (("training.pairs", "locale"),),
    "query_id": (("staging.queries", "query_id"),),
    "query": (("training.pairs", "query"),),
    "product_id": (("staging.products", "product_id"),),
    "label": (("training.pairs", "label"),),
}
_JUDGED: tuple[Column, ...] = (("training.pairs", "query"), ("training.pairs", "label"))
_MEASURED = {
    "evaluation.metrics": (*_JUDGED, ("vectors.products", "vector")),
    "evaluation.queries": (*_JUDGED, ("vectors.products", "vector")),
    "evaluation.rankings": (*_JUDGED, ("vectors.products", "vector")),
    "evaluation.known_items": (("staging.products", "title"), ("vectors.products", "vector")),
    "evaluation.gate": (*_JUDGED, ("vectors.products", "vector")),
    "evaluation.training_log": (*_JUDGED, ("training.pairs", "split")),
}
# The sources of the columns that Python mines in `assets/services/negative_mining.py`.
_MINED_SCORE: tuple[Column, ...] = (
    ("training.pairs", "query"),
    *(("staging.products", column) for column in ("title", "brand", "color")),
)
_MINED: Mapping[str, tuple[Column, ...]] = {
    "key": (("training.pairs", "query_key"), ("staging.products", "key")),
    "query_key": (("training.pairs", "query_key"),),
    "product_key": (("staging.products", "key"),),
    "rank": _MINED_SCORE,
    "score": _MINED_SCORE,
    "positive_key": (("training.pairs", "product_key"), ("training.pairs", "label")),
    "positive_score": (*_MINED_SCORE, ("training.pairs", "label")),
    "label": (("training.pairs", "label"),),
}
_NAMES = frozenset({"key", "model_id", "ranker", "metric", "inputs", "epoch", "learning_rate", "is_best", "slice"})
_NAMES |= {"live_model_id", "ranker_id", "live_ranker_id", "baseline", "margin"}
FROM_FILES = frozenset({"sources", "feature_view_files"})
"""The values of `made_by` of steps whose source is a file instead of a table."""

_JUDGED_COLUMNS: Mapping[str, Sequence[str]] = {
    "query": ("query",),
    "product_id": ("product_id",),
    "product_locale": ("locale",),
    "esci_label": ("label", "event", "impressions", "clicks", "carts", "orders"),
    "event_time": ("event_time",),
    "context_key": ("context_key",),
}
# The columns of judgements that are made from others where a source does not declare them.
_DERIVED = {"query_id": ("locale", "query"), "example_id": ("locale", "query", "product_id"), "split": ("query",)}

_FROM_SQL = ("staging", "splits", "fitted", "features", "training")


class Step(NamedTuple):
    """Name a column, one of its source columns, and the code between them."""

    table: str
    column: str
    source_table: str
    source_column: str
    made_by: str


@functools.cache
def steps(table: str) -> tuple[Step, ...]:
    """Return the lineage steps by which the columns of one lake table derive from others; none for tables about tables.

    Raises:
        WarehouseError: The table's SQL file cannot be read.
    """
    contract = CONTRACTS[table]
    source_spec = next((source_spec for source_spec in SOURCE_SPECS if source_spec.table == table), None)
    if source_spec is not None:
        return tuple(_from_file(source_spec))
    if table == "staging.products":
        return tuple(
            Step(table, column, "raw.products", source, "cleaning.clean_products")
            for column, sources in text_cleaning.PRODUCT_SOURCES.items()
            for source in sources
        )
    if table == "training.negatives":
        return tuple(
            Step(table, column, *source, "assets.model.hard_negatives")
            for column, sources in _MINED.items()
            for source in sources
        )
    if table in _MEASURED:
        return tuple(
            Step(
                table,
                column,
                *source,
                "assets.release.promotion_gate" if table == "evaluation.gate" else "assets.release.evaluation",
            )
            for column in contract.columns
            if column not in _NAMES
            for source in _EVALUATED.get(column, _MEASURED[table])
        )
    return tuple(_from_sql(contract)) if table.split(".")[0] in _FROM_SQL and _has_sql(table) else ()


def declared_steps(sources: Iterable[Source]) -> list[Step]:
    """Return the steps from the columns of declared files to the columns of the file that they are converted into."""
    return [
        Step(
            PRODUCTS_FILE if source.kind == "products" else EXAMPLES_FILE,
            column,
            PurePath(file).name,
            each,
            "conversion",
        )
        for source in sources
        for column, meanings in _converted_from(source).items()
        for meaning in meanings
        if meaning in source.columns
        for each in file_columns(source.columns[meaning])
        for file in source.files
    ]


def time_series_steps(declared: FeatureViews) -> list[Step]:
    """Return the steps from the columns of time-series files to their features, and on to training.point_in_time."""
    all_steps = (step for table in declared for step in (*_from_file_of_view(table), *_to_training(table)))
    return list(dict.fromkeys(all_steps))  # each table leads to the keys of training.point_in_time in the same way


def vector_steps(columns: Iterable[str], text: Iterable[str], feature_views: FeatureViews = ()) -> list[Step]:
    """Return the steps by which a product's vector derives from its text columns in staging and from the features of the towers.

    `columns` are those of features.products. Of the time-series features, the tower inputs of products count.
    """
    made_by, table = "models.towers.numpy_inference", "vectors.products"
    copied = [(column, ("staging.products", column)) for column in ("key", "product_id", "locale", "title")]
    vector = [("vector", ("staging.products", column)) for column in text]
    vector += [("vector", ("features.products", column)) for column in columns]
    vector += [
        ("vector", (table.contract.table, column.name))
        for table in feature_views
        if table.entity == "product"
        for column in table.columns
        if column.tower
    ]
    return [Step(table, column, *source, made_by) for column, source in dict.fromkeys(copied + vector)]


def recorded(connection: duckdb.DuckDBPyConnection) -> dict[str, list[Step]]:
    """Return the steps in registry.lineage by table, in the order of its keys."""
    steps_by_table: dict[str, list[Step]] = {}
    if tables.exists(connection, "registry.lineage"):
        rows = connection.execute(
            "SELECT table_name, column_name, source_table, source_column, made_by FROM registry.lineage ORDER BY key"
        )
        for row in rows.fetchall():
            steps_by_table.setdefault(row[0], []).append(Step(*row))
    return steps_by_table


def frame(steps: Iterable[Step]) -> pl.DataFrame:
    """Return steps as rows of registry.lineage."""
    rows = sorted(set(steps))
    columns = ("table_name", "column_name", "source_table", "source_column", "made_by")
    return pl.DataFrame(rows, dict.fromkeys(columns, pl.String), orient="row").with_columns(
        key=pl.format("{}.{} < {}.{}", "table_name", "column_name", "source_table", "source_column")
    )


def _converted_from(source: Source) -> Mapping[str, Sequence[str]]:
    """Return the columns of the file that a source is converted into, each with the declared columns that it is made from."""
    if source.kind == "products":
        return {column: (meaning,) for meaning, column in PRODUCT_COLUMNS.items()}
    derived = {name: (name,) if name in source.columns else made_from for name, made_from in _DERIVED.items()}
    return {**_JUDGED_COLUMNS, **derived}


def _from_file(source_spec: SourceSpec) -> list[Step]:
    """Return the steps from a file's columns: each is copied, and the key is composed of several."""
    made_by = "sources"
    key = [source for _, source in _sources(f"SELECT {source_spec.key_sql} AS key FROM {source_spec.table}")["key"]]
    steps = [Step(source_spec.table, "key", source_spec.file_name, column, made_by) for column in key]
    steps += [Step(source_spec.table, column, source_spec.file_name, column, made_by) for column in source_spec.columns]
    return [
        *steps,
        *(
            Step(source_spec.table, INPUT_HASH, source_spec.file_name, column, made_by)
            for column in source_spec.columns
        ),
    ]


def _from_file_of_view(table: FeatureView) -> list[Step]:
    """Return the steps from the file of a feature view; a row's key is its entity's key, with its time if it has one."""
    contract, made_by = table.contract, "feature_view_files"
    sources = [("key", column) for column in table.key_columns]
    if not table.is_static:
        sources += [("key", "event_time"), ("event_time", "event_time")]
        sources += [("entity_key", column) for column in table.key_columns]
    sources += [(column.name, column.name) for column in table.columns]
    steps = [
        Step(contract.table, column, *origin, made_by) for column, source in sources for origin in table.origins(source)
    ]
    return steps + _hashed(contract)


def _to_training(table: FeatureView) -> list[Step]:
    if table.is_static:
        return []
    pairs, events = "training.pairs", table.contract.table
    sources = [("key", pairs, "key"), ("pair_key", pairs, "key"), ("judged_at", pairs, "judged_at")]
    sources += [("event_key", events, "key"), ("event_time", events, "event_time"), ("event_hash", events, INPUT_HASH)]
    return [Step("training.point_in_time", column, source, name, "timeseries") for column, source, name in sources]


def _from_sql(contract: Contract) -> list[Step]:
    column_sources, made_by = _sources(tables.sql(contract.table)), f"sql/{contract.table.replace('.', '/')}.sql"
    if contract.table == "staging.queries":
        column_sources |= {
            name: sorted({each for source in sources for each in column_sources[source]})
            for name, sources in text_cleaning.QUERY_SOURCES.items()
        }
    missing = [column for column in contract.columns if column not in column_sources]
    if missing:
        raise WarehouseError(f"the SQL file has no column {', '.join(missing)}", f"select the columns in {made_by}")
    steps = [
        Step(contract.table, column, *source, made_by)
        for column in contract.columns
        for source in column_sources[column]
    ]
    return steps + _hashed(contract)


def _hashed(contract: Contract) -> list[Step]:
    """Return the steps by which the hash of a row's content derives from its columns; other tables may read the hash."""
    return [Step(contract.table, INPUT_HASH, contract.table, column, "reconcile") for column in contract.columns]


def _has_sql(table: str) -> bool:
    schema, name = table.split(".")
    return files("warehouse").joinpath("sql", schema, f"{name}.sql").is_file()


def _sources(sql: str) -> dict[str, list[Column]]:
    """Return the source columns of each column of a query."""
    from sqlglot import exp, lineage
    from sqlglot.errors import SqlglotError

    try:
        roots = lineage.lineage(None, sql, schema=_schema(), dialect="duckdb", trim_selects=False)
    except SqlglotError as error:
        raise WarehouseError(
            f"cannot determine the lineage of the columns: {error}", "simplify the SQL file"
        ) from error
    return {
        column: sorted(
            {
                (f"{node.source.db}.{node.source.name}", node.name.rsplit(".", 1)[-1].strip('"'))
                for node in root.walk()
                if isinstance(node.source, exp.Table)
            }
        )
        for column, root in roots.items()
    }


@functools.cache
def _schema() -> dict[str, dict[str, dict[str, str]]]:
    """Return the types of all columns by schema and table, which sqlglot needs to expand a star."""
    schemas: dict[str, dict[str, dict[str, str]]] = {}
    for contract in CONTRACTS.values():
        schema, name = contract.table.split(".")
        columns = {column: contract.sql_type(column) for column in contract.columns}
        schemas.setdefault(schema, {})[name] = columns | {INPUT_HASH: "VARCHAR"}
    return schemas
