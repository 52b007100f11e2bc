"""`stockroom build` refuses bad input in one line and leaves everything as it was."""

import json
import shutil

import dagster as dg
import polars as pl
import pytest

from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.instance.dagster_instance import open_instance

STORES_EVENTS = True

PRODUCTS = "shopping_queries_dataset_products.parquet"
EXAMPLES = "shopping_queries_dataset_examples.parquet"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def _is_one_line(text: str) -> bool:
    return text.startswith("error: ") and text.endswith("\n") and len(text.splitlines()) == 1


def _state(root):
    home = open_home(load_settings(root))
    with open_instance(home) as instance:
        return home.lake.snapshot(), home.releases.live(), home.journal.path.read_bytes(), len(instance.get_runs())


def test_without_files_and_without_a_lake_there_is_nothing_to_build(stockroom, tmp_path):
    answer = stockroom("build", "--home", tmp_path / "home")
    assert answer.status == 1
    assert _is_one_line(answer.err)
    assert "no raw data in" in answer.err
    assert "stockroom build --raw DIR" in answer.err
    assert not list(tmp_path.iterdir())


@pytest.fixture
def broken(built, tmp_path):
    """Return a maker of a raw folder in which one file is spoiled in the given way."""

    def make(how: str):
        folder = tmp_path / "esci"
        if how == "no folder":
            return folder
        shutil.copytree(built.raw, folder)
        products, examples = folder / PRODUCTS, folder / EXAMPLES
        match how:
            case "no file":
                products.unlink()
            case "a folder of parts":
                products.unlink()
                products.mkdir()
            case "csv":
                pl.read_parquet(products).write_csv(products.with_suffix(".csv"))
                products.unlink()
            case "pointer":
                products.write_text(POINTER)
            case "truncated":
                products.write_bytes(products.read_bytes()[:-200])
            case "no column":
                pl.read_parquet(examples).drop("esci_label").write_parquet(examples)
            case "wrong type":
                pl.read_parquet(examples).with_columns(query_id=pl.lit("one")).write_parquet(examples)
        return folder

    return make


WAYS = {
    "no folder": "esci does not exist",
    "no file": f"{PRODUCTS} is missing",
    "a folder of parts": f"{PRODUCTS} is a folder, not a file",
    "csv": f"{PRODUCTS} is missing, and its folder has shopping_queries_dataset_products.csv",
    "pointer": f"{PRODUCTS} is a git-lfs pointer",
    "truncated": f"{PRODUCTS} cannot be read",
    "no column": f"{EXAMPLES} has no column esci_label",
    "wrong type": f"{EXAMPLES}: column query_id is VARCHAR, not BIGINT",
}


@pytest.mark.parametrize("how", WAYS)
def test_bad_files_are_named_and_no_home_is_made(stockroom, broken, tmp_path, how):
    answer = stockroom("build", "--raw", broken(how), "--home", tmp_path / "home")
    assert answer.status == 1
    assert _is_one_line(answer.err)
    assert WAYS[how] in answer.err
    assert answer.out == ""
    assert not (tmp_path / "home").exists()


def test_bad_files_leave_a_home_as_it_was(stockroom, broken, copy_home):
    root = copy_home()
    before = _state(root)
    answer = stockroom("build", "--raw", broken("truncated"), "--home", root)
    assert answer.status == 1
    assert _state(root) == before


def test_a_file_that_turns_out_broken_fails_the_run_and_changes_nothing(stockroom, built, copy_home, tmp_path):
    root = copy_home()
    before = _state(root)
    folder = tmp_path / "esci"
    shutil.copytree(built.raw, folder)
    content = bytearray((folder / PRODUCTS).read_bytes())
    content[100:2000] = b"\xff" * 1900  # inside the first pages: the footer, and so the columns, can still be read
    (folder / PRODUCTS).write_bytes(content)

    answer = stockroom("build", "--raw", folder, "--home", root)

    assert answer.status == 1
    assert _is_one_line(answer.err)
    assert f"{PRODUCTS} cannot be read" in answer.err
    home = open_home(load_settings(root))
    assert (home.lake.snapshot(), home.releases.live()) == before[:2]
    with open_instance(home) as instance:
        (newest,) = instance.get_runs(limit=1)
        assert newest.status == dg.DagsterRunStatus.FAILURE
        assert len(instance.get_runs()) == before[3] + 1
    assert (
        stockroom("search", "tent", "--json", "--home", root).out
        == stockroom("search", "tent", "--json", "--home", built.home).out
    )
    assert stockroom("status", "--json", "--home", root).status == 0


def test_a_blocking_check_that_fails_stops_the_build_in_one_line(stockroom, copy_home):
    root = copy_home()
    home = open_home(load_settings(root))
    with home.lake.writing() as connection:
        connection.execute("INSERT INTO raw.products SELECT * FROM raw.products LIMIT 1")
    snapshot = home.lake.snapshot()
    answer = stockroom("build", "--home", root)
    assert answer.status == 1
    assert _is_one_line(answer.err)
    assert "raw.products fails the check contract: duplicate_key: 1 row (us:B000000000)" in answer.err
    assert (home.lake.snapshot(), home.releases.live().release) == (snapshot, 1)


@pytest.mark.parametrize("rows", [0, 5])
def test_files_that_take_most_of_the_catalog_away_leave_a_home_as_it_was(stockroom, built, copy_home, tmp_path, rows):
    root = copy_home()
    home = open_home(load_settings(root))
    folder, before = tmp_path / "esci", (home.lake.snapshot(), home.releases.live(), _files(home))
    shutil.copytree(built.raw, folder)
    pl.read_parquet(folder / PRODUCTS).head(rows).write_parquet(folder / PRODUCTS)

    answer = stockroom("build", "--raw", folder, "--home", root)

    assert answer.status == 1
    assert _is_one_line(answer.err)
    message = "195 of the 200 rows of raw.products" if rows else "none of the 200 rows of raw.products"
    assert f"{folder / PRODUCTS} would " in answer.err
    assert message in answer.err
    assert ("--allow-loss" in answer.err) is bool(rows)
    assert (home.lake.snapshot(), home.releases.live(), _files(home)) == before


def test_a_file_that_removes_most_of_the_catalog_is_ingested_if_allowed(stockroom, built, copy_home, tmp_path):
    root, delta = copy_home(), tmp_path / "delta.jsonl"
    keys = (
        pl.read_parquet(built.raw / PRODUCTS)
        .filter(pl.col("product_id") != "")
        .unique(["product_locale", "product_id"])
    )
    gone = keys.sort("product_locale", "product_id").head(150)
    gone.select("product_locale", "product_id", op=pl.lit("delete")).write_ndjson(delta)
    refused = stockroom("apply", delta, "--home", root)
    assert refused.status == 1
    assert f"{delta} would remove 150 of the 200 rows of raw.products" in refused.err
    allowed = stockroom("apply", delta, "--allow-loss", "--json", "--home", root)
    assert allowed.status == 0, allowed.err
    assert json.loads(allowed.out)["run"]["rows"]["staging.products"] == 50


def test_a_delta_with_only_refused_rows_publishes_nothing_and_is_reported(stockroom, copy_home, tmp_path):
    root = copy_home()
    home = open_home(load_settings(root))
    before = (home.lake.snapshot(), home.releases.live(), _files(home))
    delta = tmp_path / "delta.jsonl"
    delta.write_text('{"op": "upsert", "product_locale": "us", "product_id": 7, "product_title": "Lamp"}\n')
    answer = stockroom("apply", delta, "--home", root)
    assert answer.status == 1
    assert _is_one_line(answer.err)
    assert f"{delta}: every row was refused: product_id_wrong_type 1" in answer.err
    assert (home.lake.snapshot(), home.releases.live(), _files(home)) == before


def _files(home):
    return sorted(path.name for path in home.archive.root.iterdir())
