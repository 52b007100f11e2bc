from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from warehouse.errors import WarehouseError
from warehouse.ingest.full_snapshot import ingest
from warehouse.lake.lake import Lake
from warehouse.transform import staging, text_cleaning
from warehouse.transform.staging import Cleaned

Row = dict[str, Any]
Write = Callable[..., Path]
Build = Callable[[Lake, Path], object]
Fingerprints = Callable[..., dict[str, str]]
Refused = Callable[[Lake], set[tuple[str, str, str]]]

DERIVED_TABLES = ("staging", "splits", "features", "training")
NOTHING = Cleaned(cleaned=0, inserted=0, updated=0, deleted=0, quarantined=0)


def titles(lake: Lake) -> dict[str, str]:
    with lake.reading() as connection:
        return dict(connection.sql("SELECT key, title FROM staging.products").fetchall())


def test_cleans_what_is_raw_and_then_nothing(filled: Lake, write: Write) -> None:
    assert staging.refresh_products(filled) == Cleaned(cleaned=4, inserted=4, updated=0, deleted=0, quarantined=0)
    assert staging.refresh_queries(filled) == Cleaned(cleaned=4, inserted=4, updated=0, deleted=0, quarantined=0)
    with filled.reading() as connection:
        assert connection.sql("SELECT * EXCLUDE (input_hash) FROM staging.queries ORDER BY key").fetchall() == [
            ("es:3", 3, "es", "zapatillas nike", "train", None, "zapatill nik", ""),
            ("jp:4", 4, "jp", "ナイキ", "train", None, "ナイ イキ", ""),
            ("us:1", 1, "us", "running shoes", "train", "behavioral", "run shoe", ""),
            ("us:2", 2, "us", "mug without handle", "test", "negations", "mug without handl", ""),
        ]
        assert connection.sql("SELECT key, title, brand_key FROM staging.products ORDER BY key").fetchall() == [
            ("es:P1", "Zapatillas", "nike"),
            ("jp:P3", "ナイキ シューズ", "nike"),
            ("us:P1", "Nike Running Shoes 42", "nike"),
            ("us:P2", "Plain Mug", None),
        ]
    before = filled.snapshot()
    assert (staging.refresh_products(filled), staging.refresh_queries(filled)) == (NOTHING, NOTHING)
    assert filled.snapshot() == before


def test_an_empty_lake_is_refused_and_not_made(lake: Lake) -> None:
    with pytest.raises(WarehouseError, match="stockroom build --raw"):
        staging.refresh_products(lake)
    assert not lake.root.exists()


def test_one_changed_title_is_one_row_cleaned(filled: Lake, write: Write, products: list[Row]) -> None:
    staging.refresh_products(filled)
    assert (
        ingest(filled, write(products=[products[0], products[1] | {"product_title": "Big Mug"}, *products[2:]]))[
            0
        ].updated
        == 1
    )
    assert staging.refresh_products(filled) == Cleaned(cleaned=1, inserted=0, updated=1, deleted=0, quarantined=0)
    assert titles(filled)["us:P2"] == "Big Mug"


def test_new_rules_clean_every_row_again(filled: Lake, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    staging.refresh_products(filled)
    with monkeypatch.context() as patch:
        patch.setattr(text_cleaning, "version", lambda: "other")
        cleaned = staging.refresh_products(filled, whole=True)
    assert cleaned == Cleaned(cleaned=4, inserted=0, updated=4, deleted=0, quarantined=0)


def test_a_title_of_only_markup_is_refused_until_it_is_corrected(
    lake: Lake, write: Write, products: list[Row], refused: Refused
) -> None:
    good = write()
    ingest(lake, good)
    staging.refresh_products(lake)
    ingest(lake, write(products=[products[0], products[1] | {"product_title": "<b>&nbsp;</b>"}, *products[2:]]))
    assert staging.refresh_products(lake) == Cleaned(cleaned=0, inserted=0, updated=0, deleted=1, quarantined=0)
    assert refused(lake) == {("raw.products", "us:P2", "product_title_blank_when_cleaned")}
    assert "us:P2" not in titles(lake)
    assert staging.refresh_products(lake) == NOTHING
    ingest(lake, good)
    assert staging.refresh_products(lake) == Cleaned(cleaned=1, inserted=1, updated=0, deleted=0, quarantined=0)
    assert refused(lake) == set()
    assert titles(lake)["us:P2"] == "Plain Mug"


def test_a_refused_row_that_is_gone_leaves_the_quarantine(filled: Lake, refused: Refused) -> None:
    # No source lets it through: a home of an earlier version may hold it.
    with filled.writing() as connection:
        row = "SELECT * REPLACE ('us:P9' AS key, '<p>' AS product_title) FROM raw.products WHERE key = 'us:P2'"
        connection.execute(f"INSERT INTO raw.products {row}")
    assert staging.refresh_products(filled) == Cleaned(cleaned=5, inserted=4, updated=0, deleted=0, quarantined=1)
    assert refused(filled) == {("staging.products", "us:P9", "title_missing")}
    with filled.writing() as connection:
        connection.execute("DELETE FROM raw.products WHERE key = 'us:P9'")
    assert staging.refresh_products(filled) == NOTHING
    assert refused(filled) == set()


def test_a_query_has_the_text_of_its_first_usable_judgement(
    lake: Lake, write: Write, products: list[Row], product: Callable[..., Row], judgement: Callable[..., Row]
) -> None:
    rows = [
        judgement(1, "no such product", 1, "P404", "us", "E", "test"),
        judgement(1, "no such product", 5, "P404", "us", "E", "test"),
        judgement(9, "later", 1, "P1", "us", "E", "test"),
        judgement(3, "same example, later product", 1, "P2", "us", "E", "test"),
        judgement(3, "first", 1, "P1x", "us", "E", "train"),
        judgement(1, "another locale", 1, "P1", "es", "E", "test"),
        judgement(4, "<b></b>", 2, "P1", "us", "E", "train"),
    ]
    ingest(lake, write(products=[*products, product("P1x", "us", "Mug")], judgements=rows))
    staging.refresh_products(lake)
    assert staging.refresh_queries(lake) == Cleaned(cleaned=3, inserted=2, updated=0, deleted=0, quarantined=1)
    with lake.reading() as connection:
        query_rows = connection.sql("SELECT key, query, split FROM staging.queries ORDER BY key").fetchall()
    assert query_rows == [("es:1", "another locale", "test"), ("us:1", "first", "train")]


def test_bad_rows_change_nothing_of_the_good_ones(
    built: Lake,
    write: Write,
    build: Build,
    products: list[Row],
    judgements: list[Row],
    product: Callable[..., Row],
    judgement: Callable[..., Row],
    fingerprints: Fingerprints,
    refused: Refused,
) -> None:
    good = fingerprints(built, *DERIVED_TABLES)
    assert len(good) == 10
    assert [table for table, fingerprint in good.items() if fingerprint.startswith("0-")] == [
        "staging.search_rules",
        "training.point_in_time",
    ]
    bad_products = [
        product("P1", "us", " "),
        product("P8", "us", "<br/>"),
        product("P9", "us", None),
        product("P1", "es", "Other"),
    ]
    bad_judgements = [
        judgement(21, "no such product", 21, "P404", "us", "E", "train"),
        judgement(22, "refused raw product", 22, "P9", "us", "E", "train"),
        judgement(23, "refused staging product", 23, "P8", "us", "E", "test"),
        judgement(24, "another locale's product", 24, "P3", "us", "E", "test"),
        judgement(25, "<i></i>", 25, "P1", "us", "E", "train"),
        judgement(26, "&nbsp;", 26, "P404", "us", "E", "train"),
        judgement(27, "q", 27, "P1", "us", "?", "train"),
    ]
    build(
        built,
        write(products=[bad_products[0], *products, *bad_products[1:]], judgements=[*judgements, *bad_judgements]),
    )
    assert refused(built) == {
        ("raw.products", "us:P1", "product_title_blank"),
        ("raw.products", "us:P9", "product_title_missing"),
        ("raw.products", "es:P1", "duplicate_key"),
        ("raw.judgements", "us:27:P1", "unknown_label"),
        ("raw.products", "us:P8", "product_title_blank_when_cleaned"),
        ("staging.queries", "us:25", "query_missing"),
        ("staging.judgements", "us:21:P404", "judgement_without_product"),
        ("staging.judgements", "us:22:P9", "judgement_without_product"),
        ("staging.judgements", "us:23:P8", "judgement_without_product"),
        ("staging.judgements", "us:24:P3", "judgement_without_product"),
        ("staging.judgements", "us:25:P1", "judgement_without_query"),
        ("staging.judgements", "us:26:P404", "judgement_without_product"),
    }
    assert fingerprints(built, *DERIVED_TABLES) == good
    ingest(built, write(), allow_loss=True)
    build(built, write())
    assert fingerprints(built, *DERIVED_TABLES) == good
    assert refused(built) == set()


def test_there_and_back_again(
    lake: Lake, write: Write, build: Build, products: list[Row], judgements: list[Row], fingerprints: Fingerprints
) -> None:
    a = write()
    build(lake, a)
    of_a = fingerprints(lake, "raw", "quarantine", *DERIVED_TABLES)
    build(
        lake,
        write(products=[products[0] | {"product_title": "B"}, *products[2:]], judgements=judgements[1:], sources=None),
    )
    assert fingerprints(lake, "training") != {table: of_a[table] for table in of_a if table.startswith("training")}
    build(lake, a)
    assert fingerprints(lake, "raw", "quarantine", *DERIVED_TABLES) == of_a
    before = lake.snapshot()
    build(lake, a)
    assert lake.snapshot() == before


def test_white_space_in_a_title_stops_at_staging(
    built: Lake, write: Write, build: Build, products: list[Row], fingerprints: Fingerprints
) -> None:
    before, raw = fingerprints(built, "features", "training"), fingerprints(built, "raw")
    clean = titles(built)
    done = ingest(
        built, write(products=[products[0], products[1] | {"product_title": " Plain\u00a0\t Mug "}, *products[2:]])
    )
    assert done[0].updated == 1
    assert staging.refresh_products(built).updated == 1
    build(built, write(products=[products[0], products[1] | {"product_title": " Plain\u00a0\t Mug "}, *products[2:]]))
    assert fingerprints(built, "raw")["raw.products"] != raw["raw.products"]
    assert titles(built) == clean
    assert fingerprints(built, "features", "training") == before


def test_a_train_query_that_stands_in_test_is_refused_and_not_trained_on(
    lake: Lake, write: Write, build: Build, judgements: list[Row], judgement: Callable[..., Row], refused: Refused
) -> None:
    leaks = [
        judgement(31, "  MUG\u00a0without <i>handle</i>", 31, "P1", "us", "E", "train"),
        judgement(32, "mug without handle", 32, "P1", "es", "E", "train"),
    ]
    build(lake, write(judgements=[*judgements, *leaks]))
    assert refused(lake) == {("training.pairs", "us:31:P1", "train_query_in_test")}
    with lake.reading() as connection:
        keys = [row[0] for row in connection.sql("SELECT key FROM training.pairs ORDER BY key").fetchall()]
    assert keys == ["es:32:P1", "es:3:P1", "jp:4:P3", "us:1:P1", "us:1:P2", "us:2:P2"]
