"""A file that would empty the catalog or remove most of it is refused before anything is written, with the override."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.deltas import apply_deltas
from warehouse.ingest.full_snapshot import ingest
from warehouse.lake.lake import Lake
from warehouse.lake.loss_guard import require_judgements
from warehouse.operations.replay import archiving, prune_archive
from warehouse.settings import WarehouseSettings
from warehouse.transform import staging

Row = dict[str, Any]
Write = Callable[..., Path]
PRODUCTS = "shopping_queries_dataset_products.parquet"
EXAMPLES = "shopping_queries_dataset_examples.parquet"


@pytest.fixture
def files(tmp_path: Path, write: Write, products: list[Row], judgements: list[Row]) -> Callable[[str], Path]:
    """Return a function that writes a folder in which one file removes rows."""

    def blank(name: str, rows: list[Row]) -> list[Row]:
        return [row | {name: " "} for row in rows]

    def make(how: str) -> Path:
        match how:
            case "no product":
                folder = write()
                _clear(folder / PRODUCTS)
                return folder
            case "no judgement":
                folder = write()
                _clear(folder / EXAMPLES)
                return folder
            case "no file of judgements":
                folder = write()
                (folder / EXAMPLES).unlink()
                return folder
            case "blank titles":
                return write(products=blank("product_title", products))
            case "blank queries":
                return write(judgements=blank("query", judgements))
            case "one product":
                return write(products=products[:1])
            case "one judgement":
                return write(judgements=judgements[2:3])
            case "one title":
                return write(products=[products[0], *blank("product_title", products[1:])])
            case "other products":
                return write(judgements=[row | {"product_id": f"Z{row['product_id']}"} for row in judgements])
        raise ValueError(how)

    return make


def _clear(path: Path) -> None:
    import polars as pl

    pl.read_parquet(path).clear().write_parquet(path)


EMPTY = {
    "no product": (PRODUCTS, "raw.products", ""),
    "blank titles": (PRODUCTS, "raw.products", "; rows refused: product_title_blank 4"),
    "blank queries": (EXAMPLES, "raw.judgements", "; rows refused: query_blank 5"),
}


@pytest.mark.parametrize("how", EMPTY)
@pytest.mark.parametrize("allow_loss", [False, True])
def test_a_first_file_without_valid_rows_is_always_refused(
    lake: Lake, files: Callable[[str], Path], how: str, allow_loss: bool
) -> None:
    name, table, message = EMPTY[how]
    folder = files(how)
    with pytest.raises(WarehouseError) as refused:
        ingest(lake, folder, allow_loss=allow_loss)
    assert refused.value.message == f"{folder / name} would leave {table} without a row{message}"
    assert "--allow-loss" not in refused.value.hint
    assert not lake.root.exists()


@pytest.mark.parametrize("how", EMPTY)
@pytest.mark.parametrize("allow_loss", [False, True])
def test_a_file_that_empties_its_table_is_always_refused(
    filled: Lake, files: Callable[[str], Path], how: str, allow_loss: bool
) -> None:
    name, table, message = EMPTY[how]
    folder, before = files(how), filled.snapshot()
    with pytest.raises(WarehouseError) as refused:
        ingest(filled, folder, allow_loss=allow_loss)
    rows = {"raw.products": 4, "raw.judgements": 5}[table]
    assert refused.value.message == f"{folder / name} would leave none of the {rows} rows of {table}{message}"
    assert filled.snapshot() == before


MOST = {
    "one product": (PRODUCTS, "3 of the 4 rows of raw.products"),
    "one title": (PRODUCTS, "3 of the 4 rows of raw.products; rows refused: product_title_blank 3"),
    "one judgement": (EXAMPLES, "4 of the 5 rows of raw.judgements"),
}


@pytest.mark.parametrize("how", MOST)
def test_a_file_that_removes_most_rows_is_refused_unless_allowed(
    filled: Lake, files: Callable[[str], Path], refused: Callable[[Lake], Any], how: str
) -> None:
    name, message = MOST[how]
    folder, before = files(how), filled.snapshot()
    with pytest.raises(WarehouseError) as error:
        ingest(filled, folder)
    assert error.value.message == f"{folder / name} would remove {message}"
    assert "--allow-loss" in error.value.hint
    assert "warehouse.max_loss_share" in error.value.hint
    assert (filled.snapshot(), refused(filled)) == (before, set())
    done = ingest(filled, folder, allow_loss=True)
    assert sum(one.deleted for one in done) == int(message[0])


@pytest.mark.parametrize(("share", "is_refused"), [(0.75, False), (0.74, True), (0.0, True), (1.0, False)])
def test_the_share_is_a_setting_and_may_be_reached(
    filled: Lake, files: Callable[[str], Path], share: float, is_refused: bool
) -> None:
    lake = Lake(filled.root, filled.settings.model_copy(update={"max_loss_share": share}))
    if is_refused:
        with pytest.raises(WarehouseError, match=rf"the share {share:g} "):
            ingest(lake, files("one product"))
    else:
        assert ingest(lake, files("one product"))[0].deleted == 3


UNJUDGED = {"no judgement": "{0}/" + EXAMPLES, "no file of judgements": "{0} without " + EXAMPLES}


@pytest.mark.parametrize("how", UNJUDGED)
def test_a_first_catalog_may_have_no_judgements(lake: Lake, files: Callable[[str], Path], how: str) -> None:
    folder = files(how)
    assert [one.inserted for one in ingest(lake, folder)] == [4, 0, 2]
    assert all(one.unchanged_file for one in ingest(lake, folder))


@pytest.mark.parametrize("how", UNJUDGED)
def test_judgements_are_removed_only_if_that_is_allowed_and_may_come_back(
    filled: Lake, write: Write, files: Callable[[str], Path], how: str
) -> None:
    folder, before = files(how), filled.snapshot()
    with pytest.raises(WarehouseError) as error:
        ingest(filled, folder)
    cause = UNJUDGED[how].format(folder)
    assert error.value.message == f"{cause} would remove 5 of the 5 rows of raw.judgements"
    assert "--allow-loss" in error.value.hint
    assert filled.snapshot() == before
    assert ingest(filled, folder, allow_loss=True)[1].deleted == 5
    assert ingest(filled, write())[1].inserted == 5


def test_sources_may_be_emptied(filled: Lake, write: Write) -> None:
    assert ingest(filled, write(sources=None))[2].deleted == 2


@pytest.mark.parametrize("first", [True, False])
def test_judgements_of_no_product_that_is_there_are_refused_before_anything_is_written(
    lake: Lake, write: Write, files: Callable[[str], Path], first: bool
) -> None:
    if not first:
        ingest(lake, write())
    before = lake.snapshot()
    with pytest.raises(WarehouseError, match=r"has no judgement of a product in .*: a judged key is es:ZP1") as error:
        ingest(lake, files("other products"), allow_loss=True)
    assert "product_locale and product_id" in error.value.hint
    assert (lake.snapshot(), lake.exists) == (before, not first)


def delta(folder: Path, name: str, *rows: Row) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def delete(locale: str, product_id: str) -> Row:
    return {"op": "delete", "product_locale": locale, "product_id": product_id}


def upsert(locale: str, product_id: str) -> Row:
    return {"op": "upsert", "product_locale": locale, "product_id": product_id, "product_title": "New"}


KEYS = [("us", "P1"), ("us", "P2"), ("es", "P1"), ("jp", "P3")]
DELETES = [delete(*key) for key in KEYS]


@pytest.mark.parametrize("cut", [3, 2])
def test_deltas_that_together_take_most_products_away_are_refused_until_that_is_allowed(
    filled: Lake, tmp_path: Path, cut: int
) -> None:
    files = [delta(tmp_path, "a.jsonl", *DELETES[:cut]), delta(tmp_path, "b.jsonl", *DELETES[cut:3], upsert("us", "N"))]
    before = filled.snapshot()
    with pytest.raises(WarehouseError) as refused:
        apply_deltas(filled, check_deltas(files))
    assert refused.value.message == f"{files[0]}, {files[1]} would remove 3 of the 4 rows of raw.products"
    assert "--allow-loss" in refused.value.hint
    assert filled.snapshot() == before
    assert sum(one.deleted for one in apply_deltas(filled, check_deltas(files), allow_loss=True)) == 3


def test_rows_that_a_later_file_restores_or_adds_and_removes_are_no_loss(filled: Lake, tmp_path: Path) -> None:
    back = [upsert(*key) for key in KEYS]
    new = [upsert("us", f"N{number}") for number in range(3)]
    gone = [row | {"op": "delete"} for row in new]
    files = [delta(tmp_path, f"{number}.jsonl", *rows) for number, rows in enumerate((new, DELETES, back, gone))]
    assert len(apply_deltas(filled, check_deltas(files))) == 4
    with filled.reading() as connection:
        assert connection.sql("SELECT count(*) FROM raw.products").fetchone() == (4,)


@pytest.mark.parametrize("allow_loss", [False, True])
def test_deltas_that_leave_no_product_are_always_refused(filled: Lake, tmp_path: Path, allow_loss: bool) -> None:
    before = filled.snapshot()
    with pytest.raises(WarehouseError, match=r"would leave none of the 4 rows of raw\.products"):
        apply_deltas(filled, check_deltas([delta(tmp_path, "a.jsonl", *DELETES)]), allow_loss=allow_loss)
    assert filled.snapshot() == before


@pytest.mark.parametrize("remaining", [0, 1])
def test_titles_of_only_markup_are_refused_at_ingest(
    built: Lake, write: Write, products: list[Row], remaining: int
) -> None:
    before = built.snapshot()
    rows = [*products[:remaining], *(row | {"product_title": "<br>"} for row in products[remaining:])]
    with pytest.raises(WarehouseError, match=rf"rows refused: product_title_blank_when_cleaned {4 - remaining}"):
        ingest(built, write(products=rows))
    assert built.snapshot() == before


def test_what_staging_would_lose_it_keeps(built: Lake, fingerprints: Callable[..., dict[str, str]]) -> None:
    before = fingerprints(built, "staging", "quarantine")
    with built.writing() as connection:  # as no source lets it through
        connection.execute("UPDATE raw.products SET product_title = '<br>', input_hash = 'br' WHERE key <> 'us:P1'")
    with pytest.raises(WarehouseError, match=r"cleaning of raw\.products would remove 3 of the 4 rows") as refused:
        staging.refresh_products(built)
    assert "--allow-loss" in refused.value.hint
    assert fingerprints(built, "staging", "quarantine") == before
    assert staging.refresh_products(built, allow_loss=True).deleted == 3


def test_without_a_usable_judgement_there_is_one_error(
    lake: Lake, write: Write, build: Callable[[Lake, Path], object], judgements: list[Row]
) -> None:
    build(lake, write(judgements=[row | {"query": "<br>"} for row in judgements]))
    message = (
        "none of the 5 rows of raw.judgements can be used; rows refused: judgement_without_query 5, query_missing 4"
    )
    with lake.reading() as connection, pytest.raises(WarehouseError, match=re.escape(message)):
        require_judgements(connection)


def test_no_judgement_at_all_is_no_error(
    lake: Lake, build: Callable[[Lake, Path], object], files: Callable[[str], Path]
) -> None:
    build(lake, files("no file of judgements"))
    with lake.reading() as connection:
        require_judgements(connection)


def test_copies_of_refused_files_are_not_archived(tmp_path: Path, write: Write, files: Callable[[str], Path]) -> None:
    home = Home(tmp_path / "kept", WarehouseSettings(threads=1))

    def bring_in(folder: Path) -> None:
        from warehouse.ingest.sources import input_files

        checked = input_files(folder)
        with archiving(home, checked):
            ingest(home.lake, folder, checked)
        prune_archive(home)

    bring_in(write())
    before = sorted(home.archive.root.iterdir())
    with pytest.raises(WarehouseError):
        bring_in(files("one product"))
    assert sorted(home.archive.root.iterdir()) == before
