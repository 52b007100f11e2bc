"""Judgements of products that no file has, as in a catalog with missing rows."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from warehouse.contracts.registry import CONTRACTS
from warehouse.lake.contract_check import verify
from warehouse.lake.lake import Lake

ESCI = Path(__file__).parents[3] / "shared" / "esci"
EXAMPLES = "shopping_queries_dataset_examples.parquet"
WITHOUT_PRODUCTS = "examples_without_products.parquet"

pytestmark = pytest.mark.skipif(not (ESCI / WITHOUT_PRODUCTS).exists(), reason=f"no real ESCI rows in {ESCI}")


def test_judgements_of_missing_products_change_nothing_of_the_good_rows(
    lake: Lake,
    tmp_path: Path,
    build: Callable[[Lake, Path], object],
    fingerprints: Callable[..., dict[str, str]],
) -> None:
    lake = Lake(lake.root)  # with batches of the usual size
    folder = tmp_path / "esci"
    folder.mkdir()
    for path in ESCI.glob("shopping_queries_dataset_*"):
        shutil.copy(path, folder)
    build(lake, folder)
    good = fingerprints(lake, "staging", "splits", "features", "training")
    assert quarantined(lake) == []

    orphans = pl.read_parquet(ESCI / WITHOUT_PRODUCTS)
    pl.concat([pl.read_parquet(ESCI / EXAMPLES), orphans]).write_parquet(folder / EXAMPLES)
    build(lake, folder)
    assert quarantined(lake) == [("staging.judgements", "judgement_without_product", 28_935)]
    assert fingerprints(lake, "staging", "splits", "features", "training") == good
    with lake.reading() as connection:
        for table in (*good, "quarantine.rows"):
            assert verify(connection, CONTRACTS[table], batch_rows=50_000) == []

    before = lake.snapshot()
    build(lake, folder)
    assert lake.snapshot() == before


def quarantined(lake: Lake) -> list[tuple[str, str, int]]:
    with lake.reading() as connection:
        return connection.execute(
            'SELECT "table", rule, count(*) FROM quarantine.rows GROUP BY ALL ORDER BY ALL'
        ).fetchall()
