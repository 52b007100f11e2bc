"""No row of the test split changes a fitted value."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.run_context import RunContext
from assets.services.model_training import feature_spec
from assets.services.training_arrays import training_data
from models.settings import TowerSettings, TrainingSettings
from models.training.trainer import train
from warehouse.contracts.registry import CONTRACTS
from warehouse.home import Home
from warehouse.lake import tables

TRAIN = "split IN ('train', 'validation')"
VALIDATION = {"validation_percent": 30}


class NoVectors:
    """Stand in for the embedding cache: fitted values look at no vector."""

    def cached(self, texts: list[str]) -> np.ndarray:
        return np.ones((len(texts), 4), dtype=np.float32)


class OpenLake:
    """Stand in for a lake with one open connection."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def reading(self, _snapshot: int | None = None) -> Any:
        cursor = self.connection.cursor()
        cursor.execute("USE lake")
        return cursor


words = st.sampled_from(["Acme", "Zeta", "red", "mug", "9000", "x" * 300, "洗濯機", "Omega"])
texts = st.lists(words, min_size=1, max_size=4).map(" ".join)
values = st.none() | words
test_products = st.lists(st.tuples(texts, values, values), min_size=1, max_size=6)


def rows_of(number: int, prefix: str, split: str, title: str, brand: str | None, color: str | None) -> dict[str, Any]:
    product, query = f"us:{prefix}{number}", f"us:{prefix}{number}"
    return {
        "staging.products": {
            "key": product,
            "product_id": f"{prefix}{number}",
            "locale": "us",
            "title": title,
            "brand": brand,
            "brand_key": brand and brand.lower(),
            "color": color,
            "color_key": color and color.lower(),
        },
        # Its text is of its own: a train query whose text stands in test is left out of training, by rule.
        "staging.queries": {
            "key": query,
            "query_id": number,
            "locale": "us",
            "query": f"{title} {prefix} {number}",
            "split": split,
        },
        "staging.judgements": {
            "key": f"{query}:{prefix}{number}",
            "query_key": query,
            "product_key": product,
            "locale": "us",
            "query_id": number,
            "product_id": f"{prefix}{number}",
            "label": "E",
            "split": split,
            "small_version": True,
        },
    }


def fitted(rows: list[dict[str, Any]], lake_in_memory: Callable[[], Any]) -> dict[str, Any]:
    """Build features and training pairs from staging rows, and return all that is fitted on them."""
    with lake_in_memory() as connection:
        for table in ("staging.products", "staging.queries", "staging.judgements"):
            tables.ensure(connection, CONTRACTS[table])
            schema = {name: column.dtype for name, column in CONTRACTS[table].columns.items()}
            connection.register("given_rows", pl.DataFrame([row[table] for row in rows], schema=schema))
            connection.execute(f"INSERT INTO {table} BY NAME FROM given_rows")
        for table in (
            "splits.queries",
            "fitted.vocabulary",
            "features.products",
            "features.queries",
            "training.pairs",
        ):
            tables.refresh(connection, CONTRACTS[table], VALIDATION if table == "splits.queries" else None)
        vocabulary = connection.sql(tables.sql("datasets.vocabulary")).pl()
        trained_on = tables.fingerprint(connection, CONTRACTS["training.pairs"], TRAIN)
        run_context = RunContext(Home(Path("nowhere")))
        run_context.home.__dict__["lake"] = OpenLake(connection)
        specs = feature_spec("features.queries"), feature_spec("features.products")
        data = training_data(run_context, NoVectors(), *specs)  # type: ignore[arg-type]
    model = train(data, *specs, TowerSettings(width=4, vocabulary_minimum=1), TrainingSettings(epochs=0))
    return {
        "vocabulary": vocabulary.rows(),
        "query": model.query_encoder.to_dict(),
        "product": model.product_encoder.to_dict(),
        "trained_on": trained_on,
    }


BRANDS = ["Acme", "Acme", "Zeta", None]
TRAIN_ROWS = [
    rows_of(number, "T", "train", f"{BRANDS[number % 4] or ''} mug {number} cm".strip(), BRANDS[number % 4], "red")
    for number in range(12)
]


@pytest.fixture(scope="module")
def without_test(lake_in_memory: Callable[[], Any]) -> dict[str, Any]:
    return fitted(TRAIN_ROWS, lake_in_memory)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(test_products)
def test_no_test_row_moves_a_fitted_value(
    lake_in_memory: Callable[[], Any], without_test: dict[str, Any], given_products: list[Any]
) -> None:
    rows = [rows_of(number, "Q", "test", *product) for number, product in enumerate(given_products)]
    assert fitted([*TRAIN_ROWS, *rows], lake_in_memory) == without_test


def test_a_train_row_does_move_them(lake_in_memory: Callable[[], Any], without_test: dict[str, Any]) -> None:
    more = [rows_of(100 + number, "T", "train", "Omega 9000", "Omega", "blue") for number in range(4)]
    moved = fitted([*TRAIN_ROWS, *more], lake_in_memory)
    assert all(moved[part] != without_test[part] for part in without_test)


def test_the_towers_number_brands_as_the_vocabulary_does(without_test: dict[str, Any]) -> None:
    ids = {value: number for _, number, kind, value, *_ in without_test["vocabulary"] if kind == "brand"}
    brands = without_test["product"]["categorical"]["brand_key"]
    assert {value: place for place, value in enumerate(brands["values"], start=1)} == ids
    counts = {value: products for _, _, kind, value, products, _ in without_test["vocabulary"] if kind == "brand"}
    assert dict(zip(brands["values"], brands["rows"], strict=True)) == counts
