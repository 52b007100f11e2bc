import hashlib
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from warehouse.contracts.esci_files import EXAMPLES_FILE as EXAMPLES
from warehouse.contracts.esci_files import PRODUCTS_FILE as PRODUCTS
from warehouse.contracts.esci_files import SOURCES_FILE as SOURCES
from warehouse.errors import WarehouseError
from warehouse.sample import write_esci


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sample")
    write_esci(out, 1_200, 7)
    return out


def test_physical_schema_is_upstreams(sample: Path) -> None:
    columns = [
        (c.name, c.physical_type, str(c.logical_type), c.max_definition_level)
        for c in pq.ParquetFile(sample / EXAMPLES).schema
    ]
    text, number = ("BYTE_ARRAY", "String", 1), ("INT64", "None", 1)
    assert columns == [
        ("example_id", *number),
        ("query", *text),
        ("query_id", *number),
        ("product_id", *text),
        ("product_locale", *text),
        ("esci_label", *text),
        ("small_version", *number),
        ("large_version", *number),
        ("split", *text),
    ]
    assert [(c.name, c.physical_type, str(c.logical_type)) for c in pq.ParquetFile(sample / PRODUCTS).schema] == [
        (f"product_{name}", "BYTE_ARRAY", "String")
        for name in ("id", "title", "description", "bullet_point", "brand", "color", "locale")
    ]
    assert (sample / SOURCES).read_text(encoding="utf-8").startswith("query_id,source\n0,")


def test_same_arguments_give_the_same_bytes(sample: Path, tmp_path: Path) -> None:
    write_esci(tmp_path, 1_200, 7)
    assert digests(tmp_path) == digests(sample)
    assert sorted(digests(tmp_path)) == [EXAMPLES, PRODUCTS, SOURCES]  # and no unfinished file beside them


def test_another_seed_gives_other_bytes(sample: Path, tmp_path: Path) -> None:
    write_esci(tmp_path, 1_200, 8)
    assert not set(digests(tmp_path).values()) & set(digests(sample).values())


def test_another_brand_seed_changes_brands_and_nothing_else(sample: Path, tmp_path: Path) -> None:
    write_esci(tmp_path, 1_200, 7, brand_seed=99)
    facts = ["example_id", "query_id", "product_id", "product_locale", "esci_label", "small_version", "split"]
    ours, theirs = (pl.read_parquet(folder / EXAMPLES) for folder in (sample, tmp_path))
    assert ours.select(facts).equals(theirs.select(facts))
    ours, theirs = (pl.read_parquet(folder / PRODUCTS) for folder in (sample, tmp_path))
    same = ["product_id", "product_description", "product_color", "product_locale"]
    assert ours.select(same[0], same[2], same[3]).equals(theirs.select(same[0], same[2], same[3]))
    brands = [set(frame["product_brand"].drop_nulls().str.to_lowercase()) for frame in (ours, theirs)]
    assert len(brands[0]) > 20
    assert len(brands[0] & brands[1]) <= 2


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    write_esci(tmp_path / "new" / "folder", 300, 7, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(300, 300)]


def test_summary_counts_what_the_files_hold(tmp_path: Path) -> None:
    summary = write_esci(tmp_path, 1_000, 3)
    examples, products = pl.read_parquet(tmp_path / EXAMPLES), pl.read_parquet(tmp_path / PRODUCTS)
    sources = pl.read_csv(tmp_path / SOURCES)
    assert summary.rows == {EXAMPLES: examples.height, PRODUCTS: products.height, SOURCES: sources.height}
    assert summary.labels == dict(examples["esci_label"].value_counts().iter_rows())
    assert summary.queries == dict(examples.unique("query_id")["split"].value_counts().iter_rows())
    assert products.filter(pl.col("product_id") != "").n_unique(["product_locale", "product_id"]) == 1_000
    assert sources["query_id"].to_list() == sorted(examples["query_id"].unique())


def test_a_failed_run_leaves_the_old_files(sample: Path, tmp_path: Path) -> None:
    write_esci(tmp_path, 300, 7)
    before = digests(tmp_path)

    def fail(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_esci(tmp_path, 300, 8, on_progress=fail)
    assert digests(tmp_path) == before


@pytest.mark.parametrize(("products", "seed"), [(0, 1), (10, -1)])
def test_impossible_arguments_are_refused(tmp_path: Path, products: int, seed: int) -> None:
    with pytest.raises(WarehouseError):
        write_esci(tmp_path, products, seed)


def test_the_smallest_sample_can_be_written(tmp_path: Path) -> None:
    assert write_esci(tmp_path, 1, 1).rows[SOURCES] <= 1
