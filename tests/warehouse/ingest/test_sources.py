from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from warehouse.errors import WarehouseError
from warehouse.ingest.sources import SOURCE_SPECS, input_files, required_files
from warehouse.readers.file_hash import sha256

PRODUCTS, EXAMPLES, SOURCES = (source_spec.file_name for source_spec in SOURCE_SPECS[:3])


@pytest.fixture
def folder(write: Callable[..., Path]) -> Path:
    return write()


def rewrite(path: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    change(pl.read_parquet(path)).write_parquet(path)


def complaint(folder: Path) -> str:
    """Return the error's message and its hint, each in one line."""
    with pytest.raises(WarehouseError) as caught:
        input_files(folder)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return str(caught.value)


def test_a_valid_folder_has_an_input_file_for_each_source(folder: Path) -> None:
    files = input_files(folder)
    assert (
        [file.source_spec.table for file in files]
        == ["raw.products", "raw.judgements", "raw.sources"]
        == [d.table for d in SOURCE_SPECS if not d.is_kept]
    )
    assert [file.path for file in files] == [folder / PRODUCTS, folder / EXAMPLES, folder / SOURCES]
    assert files[0].size_bytes == (folder / PRODUCTS).stat().st_size
    assert files[0].sha256 == sha256(folder / PRODUCTS)


def test_the_input_hash_follows_the_bytes_and_the_contract(folder: Path) -> None:
    before = input_files(folder)
    assert before[0].input_hash.startswith(before[0].sha256)
    assert before[0].input_hash.endswith(before[0].source_spec.contract.version)
    rewrite(folder / PRODUCTS, lambda frame: frame.reverse())
    after = input_files(folder)
    assert before[0].input_hash != after[0].input_hash
    assert before[1].input_hash == after[1].input_hash


def test_hashes_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert sha256(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_judgements_and_sources_may_be_missing(folder: Path) -> None:
    (folder / SOURCES).unlink()
    assert [file.source_spec.table for file in input_files(folder)] == ["raw.products", "raw.judgements"]
    (folder / EXAMPLES).unlink()
    assert [file.source_spec.table for file in input_files(folder)] == ["raw.products"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "nowhere does not exist" in complaint(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    assert "file is a file, not a folder" in complaint(tmp_path / "file")


def test_a_file_that_is_not_there_is_named(folder: Path) -> None:
    assert required_files() == [PRODUCTS]
    (folder / PRODUCTS).unlink()
    assert f"{folder / PRODUCTS} is missing" in complaint(folder)


@pytest.mark.parametrize("name", [PRODUCTS, EXAMPLES])
def test_a_file_of_another_format_is_not_taken_for_none(folder: Path, name: str) -> None:
    (folder / name).rename((folder / name).with_suffix(".csv"))
    assert f"{folder / name} is missing, and its folder has {Path(name).stem}.csv" in complaint(folder)


@pytest.mark.parametrize("name", [PRODUCTS, EXAMPLES, SOURCES])
def test_a_git_lfs_pointer_is_recognized(folder: Path, name: str) -> None:
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4a73\nsize 51286808\n")
    text = complaint(folder)
    assert f"{folder / name} is a git-lfs pointer" in text
    assert "git lfs pull" in text


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-20], lambda data: b"", lambda data: b"PAR1", lambda data: b"x" * 500]
)
def test_a_broken_file_is_named(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    path = folder / PRODUCTS
    path.write_bytes(damage(path.read_bytes()))
    text = complaint(folder)
    assert text.startswith(f"{path} cannot be read: ")
    assert "copy the file again from its source" in text


def test_a_column_of_the_name_of_row_numbers_is_to_be_renamed(folder: Path) -> None:
    path = folder / PRODUCTS
    pl.read_parquet(path).with_columns(file_row_number=pl.lit(1)).write_parquet(path)
    assert complaint(folder).endswith("rename the column in the file")


@pytest.mark.parametrize("text", ["", "query_id\n1\n", "query_id;source\n1;a\n"])
def test_a_csv_without_its_columns_is_refused(folder: Path, text: str) -> None:
    (folder / SOURCES).write_text(text)
    assert f"{folder / SOURCES} has no column " in complaint(folder)


@pytest.mark.parametrize("text", ['query_id,source\n1,a\n2,"b\n', "query_id,source\n1,a\n2,b,c,d\n3,e\n"])
def test_a_ragged_csv_is_refused_and_not_taken_for_an_empty_one(folder: Path, text: str) -> None:
    (folder / SOURCES).write_text(text)
    assert f"{folder / SOURCES} cannot be read" in complaint(folder)


@pytest.mark.parametrize(("name", "column"), [(PRODUCTS, "product_color"), (EXAMPLES, "split")])
def test_a_missing_column_is_named(folder: Path, name: str, column: str) -> None:
    rewrite(folder / name, lambda frame: frame.drop(column))
    text = complaint(folder)
    assert f"{folder / name} has no column {column}" in text
    assert "it has " in text


@pytest.mark.parametrize(
    ("name", "column", "kind", "said"),
    [
        (PRODUCTS, "product_id", pl.Int64, "product_id is BIGINT, not VARCHAR"),
        (PRODUCTS, "product_title", pl.Boolean, "product_title is BOOLEAN, not VARCHAR"),
        (PRODUCTS, "product_brand", pl.Binary, "product_brand is BLOB, not VARCHAR"),
        (EXAMPLES, "esci_label", pl.Int32, "esci_label is INTEGER, not VARCHAR"),
        (EXAMPLES, "query_id", pl.String, "query_id is VARCHAR, not BIGINT"),
        (EXAMPLES, "small_version", pl.Float64, "small_version is DOUBLE, not BIGINT"),
    ],
)
def test_a_column_of_another_type_is_named(folder: Path, name: str, column: str, kind: pl.DataType, said: str) -> None:
    numbers = pl.int_range(pl.len())
    rewrite(
        folder / name,
        lambda frame: frame.with_columns(
            numbers.cast(pl.String if kind == pl.Binary else kind).cast(kind).alias(column)
        ),
    )
    text = complaint(folder)
    assert f"{folder / name}: column {said}" in text
    assert "cast the column to " in text


@pytest.mark.parametrize("kind", [pl.Int8, pl.Int16, pl.Int32, pl.UInt32, pl.Boolean])
def test_smaller_integers_are_taken(folder: Path, kind: pl.DataType) -> None:
    rewrite(folder / EXAMPLES, lambda frame: frame.with_columns(pl.col("small_version", "large_version").cast(kind)))
    assert len(input_files(folder)) == 3


@pytest.mark.parametrize("kind", [pl.Null, pl.Int32, pl.Float64])
def test_a_column_that_holds_nothing_may_have_any_type(folder: Path, kind: pl.DataType) -> None:
    rewrite(folder / PRODUCTS, lambda frame: frame.with_columns(product_color=pl.lit(None, dtype=kind)))
    assert len(input_files(folder)) == 3


def test_categories_and_columns_beyond_are_taken(folder: Path) -> None:
    rewrite(
        folder / EXAMPLES, lambda frame: frame.with_columns(pl.col("esci_label").cast(pl.Enum(["E", "S", "C", "I"])))
    )
    rewrite(folder / PRODUCTS, lambda frame: frame.with_row_index("__index_level_0__"))
    assert len(input_files(folder)) == 3


def test_a_file_may_have_a_column_with_an_internal_name(folder: Path) -> None:
    rewrite(folder / PRODUCTS, lambda frame: frame.with_columns(key=pl.lit("x"), input_hash=pl.lit("y"), row=pl.lit(1)))
    assert len(input_files(folder)) == 3


def test_columns_that_no_contract_declares_are_named(folder: Path) -> None:
    rewrite(folder / PRODUCTS, lambda frame: frame.with_columns(price=pl.lit(1.0)).with_row_index("__index_level_0__"))
    (folder / SOURCES).write_text("query_id,source,weight\n1,behavioral,2\n")
    assert [file.new_columns for file in input_files(folder)] == [("price",), (), ("weight",)]
