"""Small literal ESCI data, and lakes in temporary homes."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from warehouse.contracts.registry import CONTRACTS
from warehouse.features import word_counts
from warehouse.ingest.full_snapshot import Ingested, ingest
from warehouse.lake import catalog, tables
from warehouse.lake.dependencies import DERIVATIONS
from warehouse.lake.lake import Lake, connect
from warehouse.settings import WarehouseSettings

PRODUCTS = "shopping_queries_dataset_products.parquet"
EXAMPLES = "shopping_queries_dataset_examples.parquet"
SOURCES = "shopping_queries_dataset_sources.csv"

WORDS = "fitted.words"
DERIVED = tuple(DERIVATIONS)
BUILT = (*DERIVED[: DERIVED.index("features.products")], WORDS, *DERIVED[DERIVED.index("features.products") :])
"""The derived tables and the word counts, which a build makes between vocabulary and features."""

Row = dict[str, Any]
Write = Callable[..., Path]


@pytest.fixture
def product() -> Callable[..., Row]:
    """Return a function that makes rows of the products file."""

    def make(product_id: str | None, locale: str | None, title: str | None, **others: str | None) -> Row:
        return {
            "product_id": product_id,
            "product_title": title,
            "product_description": others.get("description"),
            "product_bullet_point": others.get("bullets"),
            "product_brand": others.get("brand"),
            "product_color": others.get("color"),
            "product_locale": locale,
        }

    return make


@pytest.fixture
def judgement() -> Callable[..., Row]:
    """Return a function that makes rows of the examples file."""

    def make(
        example_id: int, query: str | None, query_id: int, product_id: str, locale: str, label: str | None, split: str
    ) -> Row:
        return {
            "example_id": example_id,
            "query": query,
            "query_id": query_id,
            "product_id": product_id,
            "product_locale": locale,
            "esci_label": label,
            "small_version": 1,
            "large_version": 1,
            "split": split,
        }

    return make


@pytest.fixture
def products(product: Callable[..., Row]) -> list[Row]:
    """Return four valid products in three locales; two of them have the id P1."""
    shoe = {"description": "<p>Light &amp; fast</p>", "bullets": "Mesh\nFoam", "brand": "Nike", "color": "Red"}
    return [
        product("P1", "us", "Nike <b>Running</b> Shoes 42", **shoe),
        product("P2", "us", "Plain Mug"),
        product("P1", "es", "Zapatillas", brand="NIKE", color="rojo"),
        product("P3", "jp", "ナイキ シューズ", brand="NIKE（ナイキ）"),
    ]


@pytest.fixture
def judgements(judgement: Callable[..., Row]) -> list[Row]:
    """Return five valid judgements of four queries."""
    return [
        judgement(1, "running shoes", 1, "P1", "us", "E", "train"),
        judgement(2, "running shoes", 1, "P2", "us", "I", "train"),
        judgement(3, "mug without handle", 2, "P2", "us", "E", "test"),
        judgement(4, "zapatillas nike", 3, "P1", "es", "S", "train"),
        judgement(5, "ナイキ", 4, "P3", "jp", "C", "train"),
    ]


@pytest.fixture
def write(tmp_path: Path, products: list[Row], judgements: list[Row]) -> Write:
    """Return a function that writes a new ESCI folder, by default with the valid rows."""
    made = 0

    def make(
        products: list[Row] = products,
        judgements: list[Row] = judgements,
        sources: str | None = "query_id,source\n1,behavioral\n2,negations\n",
    ) -> Path:
        nonlocal made
        folder = tmp_path / f"raw{(made := made + 1)}"
        folder.mkdir()
        text = dict.fromkeys(products[0], pl.String)
        pl.DataFrame(products, schema=text).write_parquet(folder / PRODUCTS)
        numbers = {"example_id", "query_id", "small_version", "large_version"}
        types = {name: pl.Int64 if name in numbers else pl.String for name in judgements[0]}
        pl.DataFrame(judgements, schema=types).write_parquet(folder / EXAMPLES)
        if sources is not None:
            (folder / SOURCES).write_text(sources, encoding="utf-8")
        return folder

    return make


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Return an empty lake with batches of three rows."""
    lake = Lake(tmp_path / "home" / "lake", WarehouseSettings(threads=1, batch_rows=3, validation_percent=50))
    return lake


@pytest.fixture
def filled(lake: Lake, write: Write, templates: Path) -> Lake:
    """Return a lake with the valid rows in its raw tables: a copy, since ingesting them for every test takes longer."""
    return _copied(templates / "filled", lake, lambda: ingest(lake, write()))


@pytest.fixture
def built(lake: Lake, write: Write, templates: Path, build: Callable[[Lake, Path], object]) -> Lake:
    """Return a lake after a build of the valid rows: a copy too."""
    return _copied(templates / "built", lake, lambda: build(lake, write()))


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the lakes that the fixtures copy."""
    return tmp_path_factory.mktemp("templates")


def _copied(template: Path, lake: Lake, fill: Callable[[], object]) -> Lake:
    if template.exists():
        shutil.copytree(template, lake.root)
    else:
        fill()
        shutil.copytree(lake.root, template)
    return lake


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield an in-memory database named lake, for tests of tables without DuckLake."""
    with connect(memory_gb=1.0, threads=1) as connection:
        connection.execute("ATTACH ':memory:' AS lake")
        connection.execute("USE lake")
        yield connection


@pytest.fixture(scope="session")
def derive(derive: Callable[..., None]) -> Callable[..., None]:
    """Return the function that refreshes derived tables, which here counts the words too, as a build does."""

    def run(lake: Lake, names: Iterable[str] = BUILT, *, whole: bool = False) -> None:
        for table in names:
            if table == WORDS:
                word_counts.refresh(lake)
            else:
                derive(lake, (table,), whole=whole)

    return run


@pytest.fixture
def build(derive: Callable[..., None]) -> Callable[[Lake, Path], list[Ingested]]:
    """Return a function that ingests data and refreshes all derived tables."""

    def run(lake: Lake, folder: Path) -> list[Ingested]:
        done = ingest(lake, folder)
        derive(lake)
        return done

    return run


@pytest.fixture
def fingerprints() -> Callable[..., dict[str, str]]:
    """Return a function that returns the fingerprints of all tables in some schemas."""

    def read(lake: Lake, *schemas: str) -> dict[str, str]:
        with lake.reading() as connection:
            return {
                table: tables.fingerprint(connection, CONTRACTS[table])
                for table in catalog.row_counts(connection)
                if table.split(".")[0] in schemas
            }

    return read


@pytest.fixture
def refused() -> Callable[[Lake], set[tuple[str, str, str]]]:
    """Return a function that returns the rows in quarantine: (table, key, rule)."""

    def read(lake: Lake) -> set[tuple[str, str, str]]:
        with lake.reading() as connection:
            return set(connection.execute('SELECT "table", key, rule FROM quarantine.rows').fetchall())

    return read
