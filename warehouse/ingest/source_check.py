"""Source check: everything that a build would refuse in the files of declared sources, with places, and nothing written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from warehouse.contracts.contract import split_rows
from warehouse.contracts.esci_files import EXAMPLES_FILE, PRODUCTS_FILE
from warehouse.contracts.locales import language_of, normalized_locale
from warehouse.contracts.registry import CONTRACTS
from warehouse.conversion.number_text import DecimalSigns
from warehouse.conversion.values import RULES
from warehouse.declaration.attributes import ATTRIBUTES_FILE
from warehouse.declaration.attributes import TABLE as ATTRIBUTES_TABLE
from warehouse.declaration.columns import file_columns
from warehouse.declaration.source import Source
from warehouse.declaration.text_language import NAMES, guessed_language
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.delta_rows import all_rows_refused, batches
from warehouse.ingest.input_rules import ingest_rules
from warehouse.ingest.sources import SOURCE_SPECS, SourceSpec
from warehouse.lake.lake import connect
from warehouse.lake.loss_guard import rule_counts
from warehouse.paths import plain_path
from warehouse.readers.swallowed_lines import SWALLOWED
from warehouse.sources.prepared import convert, refused_rows
from warehouse.sources.source_files import PLACES_FILE, SourceFiles, source_files, with_places
from warehouse.wording import counted

_VALUE_RULES = {*RULES.values(), "not_an_object", "is_an_object", "is_no_id", SWALLOWED}
_EXAMPLES = 3
_MOST_TITLES = 1_000  # of a locale, to guess their language from


@dataclass(frozen=True)
class Refusals:
    """Hold the rows or values that break one rule: their number, and the places and values of the first ones."""

    table: str
    rule: str
    rows: int
    examples: tuple[str, ...]

    @property
    def is_of_values(self) -> bool:
        """Tell whether values cannot be read and are missing; else whole rows are refused."""
        return self.rule in _VALUE_RULES


@dataclass(frozen=True)
class SourceReport:
    """Hold what a build would read.

    Attributes:
        rows: number of rows that pass, by raw table.
        refusals: the refused rows, by table and rule.
        notes: what was derived or left out, a sentence each.
        first: the first rows that pass, as they are read, by raw table; attributes beside them.
        train_queries: number of train queries with an Exact product; None without a source of judgements.
        languages: the language of the titles of each locale: what they look, else that of the locale; codes of ISO 639.
    """

    rows: dict[str, int]
    refusals: list[Refusals]
    notes: tuple[str, ...]
    first: dict[str, pl.DataFrame]
    train_queries: int | None = None
    languages: tuple[str, ...] = ()


def check_sources(
    sources: Sequence[Source],
    base: Path,
    memory_gb: float = 4.0,
    batch_rows: int = 50_000,
    *,
    may_lack: bool = False,
) -> SourceReport:
    """Read the files of sources as a build does, and report; files of JSON `may_lack` columns if they are changes.

    Raises:
        WarehouseError: A file is missing, has another shape, or lacks declared columns; the message names all of them.
    """
    files = source_files(sources, base)
    rows: dict[str, int] = {}
    first: dict[str, pl.DataFrame] = {}
    refusals: list[Refusals] = []
    with TemporaryDirectory(prefix="stockroom-check-") as scratch:
        folder = Path(scratch)
        notes, _ = convert(files, folder, memory_gb, may_lack=may_lack)
        for spec in SOURCE_SPECS:
            path = folder / spec.file_name
            if not path.is_file():
                continue
            passed, violations, first[spec.table] = _check_table(spec, path, memory_gb, batch_rows)
            rows[spec.table] = passed
            refusals += _refusals(spec.table, _placed(violations, folder, spec, files))
            unread = refused_rows(folder, spec.table)
            column, value = (pl.col("row").str.json_path_match(f"$.{name}") for name in ("column", "value"))
            text = pl.concat_str(column, pl.lit(" "), value.fill_null("is blank"))
            refusals += _refusals(spec.table, unread.select("rule", place="key", value=text))
        if (folder / ATTRIBUTES_FILE).is_file():
            first[ATTRIBUTES_TABLE] = pl.scan_parquet(folder / ATTRIBUTES_FILE).head(_EXAMPLES).collect()
        refusals += _without_product(folder, memory_gb)
        languages = _languages(folder / PRODUCTS_FILE)
        notes = (*notes, *_language_notes(languages, sources))
        train_queries = _train_queries(folder / EXAMPLES_FILE)
        return SourceReport(rows, refusals, notes, first, train_queries, tuple(languages.values()))


def check_delta_files(
    paths: Sequence[Path],
    sources: Sequence[Source],
    memory_gb: float = 4.0,
    batch_rows: int = 50_000,
    *,
    decimal_signs: DecimalSigns = (),
) -> SourceReport:
    """Read delta files by the rules by which they are applied, and report.

    Raises:
        WarehouseError: As if the files were applied: a file is no delta file, or every row of a file is refused.
    """
    rows: dict[str, int] = {}
    first: dict[str, pl.DataFrame] = {}
    refusals: list[Refusals] = []
    notes: list[str] = []
    with connect(memory_gb) as connection:
        for file in check_deltas(paths, sources=sources, decimal_signs=decimal_signs):
            table, name = file.source_spec.table, (file.given_as or file.path).name
            upserts, deletes, refused = 0, 0, list[pl.DataFrame]()
            for part in batches(connection, file, batch_rows):
                first.setdefault(table, part.upserts.select(file.source_spec.columns).head(_EXAMPLES))
                upserts, deletes = upserts + part.upserts.height, deletes + part.deletes.height
                refused.append(part.violations)
            violations = pl.concat(refused)
            if not upserts + deletes:
                raise all_rows_refused(file, rule_counts(violations))
            violations = pl.concat([violations, file.unread.select(violations.columns)])
            rows[table] = rows.get(table, 0) + upserts  # a row to delete is none to read
            place = pl.format(
                "{} {}", pl.lit(name), pl.col("key").fill_null("without a key").str.strip_prefix(f"{name} ")
            )
            refusals += _refusals(table, violations.select("rule", place=place, value="row"))
            notes.append(f"{name}: {counted(upserts, 'upsert')} and {counted(deletes, 'delete')}")
            if file.new_columns:
                notes.append(
                    f"{name}: columns that {table} does not declare are left out: {', '.join(file.new_columns)}"
                )
    return SourceReport(rows, refusals, tuple(notes), first)


def _check_table(
    spec: SourceSpec, path: Path, memory_gb: float, batch_rows: int
) -> tuple[int, pl.DataFrame, pl.DataFrame]:
    """Return the number of rows that pass, the violations (number, rule, value), and the first rows that pass."""
    contract, now = CONTRACTS[spec.table], datetime.now(UTC)
    source = f"read_parquet('{plain_path(path)}', file_row_number = true)"
    number = pl.col("key").cast(pl.Int64).alias("number")
    violations = [pl.DataFrame(schema={"number": pl.Int64, "rule": pl.String, "value": pl.String})]
    rivals = [pl.DataFrame(schema={"number": pl.Int64, "row_key": pl.String})]
    passed, first = 0, list[pl.DataFrame]()
    with connect(memory_gb, spill=path.parent) as connection:
        columns = ", ".join(f'"{name}"' for name in spec.columns)
        # The keys alone are compared first: a window over whole rows would hold the file in memory.
        connection.execute(
            f"CREATE TEMP TABLE shared AS SELECT file_row_number AS number FROM {source} "
            f"QUALIFY count(*) OVER (PARTITION BY {spec.key_sql}) > 1"
        )
        query = (
            f"SELECT file_row_number::VARCHAR AS key, {columns}, {spec.key_sql} AS row_key, "
            f"file_row_number IN (FROM shared) AS is_shared FROM {source}"
        )
        for batch in connection.execute(query).to_arrow_reader(batch_rows):
            frame = pl.DataFrame(batch)
            good, bad = split_rows(contract, frame, ingest_rules(spec.columns, now))
            violations.append(bad.select(number, rule="rule", value="row"))
            rivals.append(good.filter("is_shared").select(number, "row_key"))
            passed += good.height
            first.append(good.select(number, *spec.columns).bottom_k(_EXAMPLES, by="number"))
    # Of the rows with one key, the first that no rule refuses counts, as in a build.
    repeated = pl.concat(rivals).sort("number").filter(~pl.col("row_key").is_first_distinct())
    violations.append(repeated.select("number", rule=pl.lit("duplicate_key"), value="row_key"))
    earliest = pl.concat(first).join(repeated, on="number", how="anti") if first else pl.DataFrame({"number": []})
    return (
        passed - repeated.height,
        pl.concat(violations),
        earliest.bottom_k(_EXAMPLES, by="number").sort("number").drop("number"),
    )


def _languages(products: Path) -> dict[str, str]:
    """Return the language of the titles by locale: what they look, else that of the locale."""
    if not products.is_file():
        return {}
    columns = pl.scan_parquet(products).select("product_locale", "product_title").drop_nulls()
    titles = columns.group_by("product_locale").agg(pl.col("product_title").head(_MOST_TITLES)).collect()
    return {
        locale: guessed_language(pl.Series(own)) or language_of(locale)
        for locale, own in titles.sort("product_locale").iter_rows()
        if normalized_locale(locale) is not None
    }


def _language_notes(languages: Mapping[str, str], sources: Sequence[Source]) -> list[str]:
    """Return a note for each locale whose titles are clearly in another language."""
    is_in_files = any(file_columns(each.columns["locale"]) for each in sources if "locale" in each.columns)
    return [
        f"the titles of locale {locale} look {NAMES[language]}, and its words follow "
        f"{NAMES.get(language_of(locale), language_of(locale))}: "
        + (
            "look at the locales that the files name"
            if is_in_files
            else f'write under [source.columns]: locale = {{ constant = "{language}" }}'
        )
        for locale, language in languages.items()
        if language != language_of(locale)
    ]


def _train_queries(examples: Path) -> int | None:
    """Return the number of train queries with an Exact product; None if there are no judgements."""
    if not examples.is_file():
        return None
    exact = pl.scan_parquet(examples).filter(pl.col("esci_label") == "E", pl.col("split") == "train")
    return int(exact.select(pl.struct("product_locale", "query_id").n_unique()).collect().item())


def _without_product(folder: Path, memory_gb: float) -> list[Refusals]:
    """Return the judgements whose product is not among the products, with a key of each side."""
    products, judgements = (folder / spec.file_name for spec in SOURCE_SPECS[:2])
    if not (products.is_file() and judgements.is_file()):
        return []
    key, known = (
        SOURCE_SPECS[0].key_sql,
        f"SELECT {SOURCE_SPECS[0].key_sql} AS key FROM read_parquet('{plain_path(products)}')",
    )
    with connect(memory_gb, spill=folder) as connection:
        connection.execute(
            f"CREATE TEMP TABLE unknown AS SELECT query, {key} AS key FROM read_parquet('{plain_path(judgements)}') "
            f"WHERE {key} NOT IN (FROM ({known}) WHERE key IS NOT NULL)"
        )
        (rows, product) = connection.execute(
            f"SELECT (SELECT count(*) FROM unknown), min(key) FROM ({known})"
        ).fetchall()[0]
        first = connection.execute("FROM unknown ORDER BY ALL LIMIT ?", [_EXAMPLES]).fetchall()
    examples = tuple(
        f"query {query!r} has product {judged}, which the catalog lacks; its first is {product}"
        for query, judged in first
    )
    return [Refusals("staging.judgements", "judgement_without_product", rows, examples)] if rows else []


def _placed(violations: pl.DataFrame, folder: Path, spec: SourceSpec, files: Sequence[SourceFiles]) -> pl.DataFrame:
    """Add the place of each violation; of judgements, which may come from several rows, there is none."""
    if spec.table != "raw.products":
        return violations.with_columns(place=pl.lit(spec.table))
    places = (
        pl.read_parquet(folder / PLACES_FILE).with_row_index("number").with_columns(pl.col("number").cast(pl.Int64))
    )
    return with_places(violations.join(places, on="number", how="left", maintain_order="left"), files)


def _refusals(table: str, violations: pl.DataFrame) -> list[Refusals]:
    grouped = violations.group_by("rule", maintain_order=True).agg(
        rows=pl.len(), examples=pl.concat_str("place", pl.lit(": "), pl.col("value").str.slice(0, 160)).head(_EXAMPLES)
    )
    return [
        Refusals(table, rule, count, tuple(examples))
        for rule, count, examples in grouped.sort("rows", descending=True).iter_rows()
    ]
