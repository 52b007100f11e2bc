"""Search rules: what a shop decides by hand, checked against the catalog and against each other, one row a locale."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb
import polars as pl

from warehouse.contracts.contract import VIOLATION_SCHEMA
from warehouse.contracts.locales import normalized_key, normalized_locale
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.lake import quarantine, tables
from warehouse.lake.dependencies import DERIVATIONS
from warehouse.lake.incremental import following, made_by
from warehouse.lake.lake import Lake
from warehouse.lake.reconcile import Plan
from warehouse.lake.watermarks import RunWatermarks
from warehouse.search.product_filter import ProductFilter
from warehouse.transform.text_cleaning import clean_line, words_of

RULES = CONTRACTS["staging.search_rules"]
_RAW = CONTRACTS["raw.search_rules"]

MOST_TITLES = 0.2
"""A synonym is refused if a larger share of a locale's products has each of its words in title, brand or color."""

_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = dict.fromkeys(RULES.columns, pl.String)
_SCHEMA |= {"line": pl.Int64, "place": pl.Int64, "factor": pl.Float64}


class Checked(NamedTuple):
    """Hold the changes of a refresh, and the number of refused lines."""

    change: Plan
    quarantined: int


def refresh(lake: Lake, run_watermarks: RunWatermarks | None = None, *, whole: bool = False) -> Checked:
    """Refresh staging.search_rules from raw.search_rules and staging.products; quarantine the lines that fail a check."""
    derivation, change = DERIVATIONS[RULES.table], Plan.empty()
    with lake.writing() as connection:  # first: a table made in the refresh itself would look newer than its follower
        tables.ensure(connection, _RAW)
    with (run_watermarks or lake).writing() as connection:
        tables.ensure(connection, RULES)
        with following(
            connection, derivation, made_by(derivation, lake.settings), run_watermarks, whole=whole
        ) as pending_rows:
            if not pending_rows.is_nothing:
                rows, violations = checked(connection)
                change = tables.refresh_from(connection, RULES, rows)
                quarantine.replace(connection, RULES.table, violations)
        refused = connection.execute(
            'SELECT count(DISTINCT key) FROM quarantine.rows WHERE "table" = ?', [RULES.table]
        ).fetchone()
    return Checked(change, int(refused[0]) if refused else 0)


def stored(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return the rows of staging.search_rules, in the order of the file; none where the lake lacks the table."""
    if not tables.exists(connection, RULES.table):
        return pl.DataFrame(schema=_SCHEMA)
    return connection.sql(f"SELECT {', '.join(RULES.columns)} FROM {RULES.table} ORDER BY line, locale").pl()


def checked(connection: duckdb.DuckDBPyConnection) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Check the lines of raw.search_rules.

    Of lines that contradict each other the first counts. A line that fails a check in one locale applies in none.

    Returns:
        The rows of staging.search_rules, and the violations of the refused lines (key, rule, row).
    """
    raw = connection.sql(f"FROM {_RAW.table} ORDER BY line").pl()
    if raw.is_empty():
        return pl.DataFrame(schema=_SCHEMA), pl.DataFrame(schema=VIOLATION_SCHEMA)
    locales = connection.sql("SELECT DISTINCT locale FROM staging.products ORDER BY locale").pl()["locale"].to_list()
    rows = _by_locale(raw, locales)
    broken: list[tuple[str, str, str]] = [
        *_broken_by_themselves(rows, locales),
        *_unknown_products(connection, rows),
        *_swallowing(connection, rows),
    ]
    rows = rows.filter(~pl.col("line_key").is_in([key for key, _, _ in broken]))
    broken += _contradictions(rows)
    refused = pl.DataFrame(broken, dict.fromkeys(("key", "broken", "reason"), pl.String), orient="row")
    refused = refused.unique(["key", "broken"], keep="first", maintain_order=True)
    raw_columns = pl.struct(*(name for name in _RAW.columns if name != "key"), "reason").struct.json_encode()
    violations = refused.join(raw, on="key", maintain_order="left").select("key", rule="broken", row=raw_columns)
    return rows.filter(~pl.col("line_key").is_in(refused["key"].implode())).select(*RULES.columns), violations


def _by_locale(raw: pl.DataFrame, locales: list[str]) -> pl.DataFrame:
    """Return the lines with cleaned values, one row a locale; a product's locale is that of its key."""
    raw_columns = {
        name: pl.col(name).str.strip_chars().replace("", None) for name in _RAW.columns if name not in ("key", "line")
    }
    own = pl.coalesce(pl.col("product_key").str.split(":").list.first(), "line_locale")
    value = pl.col("value")
    return (
        raw.with_columns(
            locale=pl.col("locale").map_elements(normalized_locale, return_dtype=pl.String),
            product=pl.col("product").str.strip_chars().map_elements(normalized_key, return_dtype=pl.String),
        )
        .lazy()
        .select(
            "line",
            line_key="key",
            line_locale=raw_columns.pop("locale"),
            product_key=raw_columns.pop("product"),
            **raw_columns,
        )
        .with_columns(
            locale=pl.when(own.is_null()).then(pl.lit(locales)).otherwise(pl.concat_list(own)),
            synonym=pl.when(pl.col("rule") == "synonym").then(value),
            place=pl.when(pl.col("rule") == "pin").then(value).cast(pl.Int64),
            factor=pl.when(pl.col("rule") == "boost").then(value).cast(pl.Float64),
            is_for_every_query=pl.col("query").is_null(),
        )
        .explode("locale")
        .with_columns(query=clean_line("query"), synonym=clean_line("synonym"))
        .with_columns(
            key=pl.format("{}:{}", "line_key", "locale"),
            query_words=words_of("query"),
            synonym_words=pl.when(pl.col("rule") == "synonym").then(words_of("synonym")),
        )
        .collect()
    )


def _broken_by_themselves(rows: pl.DataFrame, locales: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the lines that break a rule without regard to other lines and to products, with the rule and the reason."""
    is_synonym = pl.col("rule") == "synonym"
    for rule, holds in {
        "query_without_words": pl.col("is_for_every_query") | (pl.col("query_words") != ""),
        "unknown_locale": pl.col("product_key").is_not_null() | pl.col("locale").is_in(locales),
        "locale_not_of_product": pl.col("product_key").is_null()
        | pl.col("line_locale").is_null()
        | (pl.col("line_locale") == pl.col("locale")),
        "synonym_without_words": ~is_synonym | (pl.col("synonym_words") != ""),
        "synonym_of_itself": ~is_synonym | (pl.col("synonym_words") != pl.col("query_words")),
    }.items():
        yield from ((key, rule, "") for key in rows.filter(~holds.fill_null(True))["line_key"])
    reasons = {text: _unparsed(text) for text in rows["condition"].drop_nulls().unique()}
    for key, text in rows.select("line_key", "condition").drop_nulls().iter_rows():
        if reasons[text]:
            yield key, "condition_not_parsed", reasons[text]


def _unparsed(text: str) -> str:
    """Return why a condition cannot be parsed; empty if it can."""
    try:
        ProductFilter.parse(text)
    except WarehouseError as error:
        return error.message
    return ""


def _unknown_products(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Yield the lines that name a product which the catalog does not have."""
    named = rows.filter(pl.col("product_key").is_not_null()).select("line_key", "product_key")
    if named.is_empty():
        return
    unknown = connection.sql(
        "SELECT line_key, product_key FROM named ANTI JOIN staging.products AS products ON products.key = named.product_key"
    )
    for key, product in unknown.fetchall():
        yield key, "unknown_product", f"the catalog has no product {product}"


def _swallowing(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Yield the synonyms of which too many products have every word that the query does not have itself."""
    searched = (
        rows.filter(pl.col("rule") == "synonym")
        .select("line_key", "locale", "query_words", word=pl.col("synonym_words").str.split(" "))
        .explode("word")
        .filter(pl.col("word") != "", ~pl.col("query_words").str.split(" ").list.contains(pl.col("word")))
    )
    if searched.is_empty():
        return
    connection.register("searched_words", searched.select("word").unique())
    common = connection.execute(tables.sql("search_rules.common_words"), {"most": MOST_TITLES}).pl()
    connection.unregister("searched_words")
    rarest = (
        searched.join(common, on=["locale", "word"], how="left")
        .group_by("line_key", "locale", maintain_order=True)
        .agg(pl.all().sort_by(pl.col("share").fill_null(0)).first())
        .filter(pl.col("share").is_not_null())
    )
    for key, locale, word, share in rarest.select("line_key", "locale", "word", "share").iter_rows():
        yield key, "synonym_swallows", f"{share:.0%} of the products of {locale} have the word {word}"


def _contradictions(rows: pl.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Yield each line that repeats or contradicts an earlier one for the same query and locale.

    Hiding a product for every query also contradicts pinning or boosting the product for one query.
    """
    taken: dict[tuple[Any, ...], tuple[str, str]] = {}  # what a line claims: its rule and key
    for (line_key,), own in rows.group_by("line_key", maintain_order=True):
        kind, is_broken = own["rule"][0], False
        claims = [claim for row in own.iter_rows(named=True) for claim in _claims(row)]
        for row in own.iter_rows(named=True):
            for claim, rules in _excluded(row):
                if claim in taken:
                    earlier, other = taken[claim]
                    rule = rules.get(earlier) or rules[kind]
                    yield str(line_key), rule, f"it contradicts {other}"
                    is_broken = True
        if not is_broken:
            taken |= dict.fromkeys(claims, (kind, str(line_key)))


def _target(row: dict[str, Any]) -> str:
    return str(row["synonym_words"] or row["product_key"] or row["condition"])


def _claims(row: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield what a row takes for itself in its locale."""
    yield row["rule"], row["locale"], row["query_words"], _target(row)
    if row["rule"] == "pin":
        yield "place", row["locale"], row["query_words"], row["place"]
    if row["rule"] in _HIDDEN:
        yield "shown", row["locale"], _target(row)


def _excluded(row: dict[str, Any]) -> Iterator[tuple[tuple[Any, ...], dict[str, str]]]:
    """Yield the claims of earlier lines that a row may not meet, and the rule that is broken, by the kind of a line."""
    kind, locale, words, target = row["rule"], row["locale"], row["query_words"], _target(row)
    yield (kind, locale, words, target), {kind: _TWICE[kind]}
    if kind == "pin":
        yield ("place", locale, words, row["place"]), {"pin": "place_taken"}
    if kind in _HIDDEN:
        yield ("hide", locale, words, target), _HIDDEN
        if words:
            yield ("hide", locale, "", target), _HIDDEN
    if kind == "hide":
        for each in _HIDDEN:
            yield (each, locale, words, target), _HIDDEN
        if not words:
            yield ("shown", locale, target), _HIDDEN


_TWICE = {"synonym": "synonym_twice", "pin": "pinned_twice", "boost": "boosted_twice", "hide": "hidden_twice"}
_HIDDEN = {"pin": "pinned_and_hidden", "boost": "boosted_and_hidden"}
