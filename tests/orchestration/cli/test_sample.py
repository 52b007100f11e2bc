"""`stockroom sample` writes data that `build` can take in."""

import json

import pytest

from orchestration.cli.sample import Kind
from warehouse.ingest.sources import check_folder
from warehouse.sample import SAMPLE_KINDS


def test_it_writes_the_three_files_and_counts_their_rows(stockroom, tmp_path):
    answer = stockroom("sample", "--products", 120, "--seed", 5, "--out", tmp_path / "esci", "--json")
    assert answer.status == 0
    summary = json.loads(answer.out)
    assert set(summary["rows"]) == {path.name for path in (tmp_path / "esci").iterdir()}
    assert summary["rows"]["shopping_queries_dataset_products.parquet"] >= 120
    assert len(check_folder(tmp_path / "esci")) == 3


def test_the_output_names_the_next_commands(stockroom, tmp_path):
    output = " ".join(stockroom("sample", "--products", 100, "--out", tmp_path / "esci").out.split())
    assert "Now: stockroom build --raw" in output


@pytest.mark.parametrize("kind", ["shop", "clicks"])
def test_the_other_kinds_are_written_and_declared_by_init(stockroom, tmp_path, kind):
    out = tmp_path / "my catalog"
    answer = stockroom("sample", "--kind", kind, "--products", 100, "--out", out, "--json")
    summary = json.loads(answer.out)
    assert set(summary["rows"]) == {path.name for path in out.iterdir()} == set(SAMPLE_KINDS[kind].files)
    again = stockroom("sample", "--kind", kind, "--products", 100, "--out", out)
    assert again.err.endswith(f"already has {', '.join(summary['rows'])}; give another folder, or --overwrite\n")
    said = stockroom("sample", "--kind", kind, "--products", 100, "--out", out, "--overwrite").out
    next_commands = [line.strip() for line in said.partition("Now: ")[2].splitlines()]
    assert next_commands == [
        f"cd '{out}'",
        f"stockroom init {SAMPLE_KINDS[kind].init_files} --home home",
        "stockroom build --home home",
        'stockroom search "office chair" --home home',
    ]


def test_every_kind_can_be_chosen():
    assert [kind.value for kind in Kind] == list(SAMPLE_KINDS)


def test_existing_files_are_not_overwritten(stockroom, tmp_path):
    assert stockroom("sample", "--products", 100, "--out", tmp_path / "esci").status == 0
    again = stockroom("sample", "--products", 100, "--out", tmp_path / "esci")
    assert again.status == 1
    assert "already has shopping_queries_dataset_products.parquet" in again.err.replace("\n", "")
    assert stockroom("sample", "--products", 100, "--out", tmp_path / "esci", "--overwrite").status == 0


def test_too_few_products_are_wrong_usage(stockroom, tmp_path):
    assert stockroom("sample", "--products", 1, "--out", tmp_path / "esci").status == 2
    assert not list(tmp_path.iterdir())


def test_a_folder_that_may_not_be_written_is_named(stockroom, tmp_path, read_only):
    (tmp_path / "file").touch()
    read_only(tmp_path)
    for out in (tmp_path, tmp_path / "esci"):
        answer = stockroom("sample", "--products", 100, "--out", out)
        assert answer.status == 1
        assert answer.err.startswith(f"error: {tmp_path} may not be written")
        assert answer.err.endswith("give another folder: --out DIR\n")
        assert answer.err.count("\n") == 1
    answer = stockroom("sample", "--products", 100, "--out", tmp_path / "file")
    assert answer.err == f"error: {tmp_path}/file is not a folder; give another folder: --out DIR\n"
