import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.ingest.full_snapshot import Ingested, are_ingested, ingest, require_raw
from warehouse.ingest.sources import input_files
from warehouse.lake import catalog
from warehouse.lake.change_feed import count_changes
from warehouse.lake.lake import Lake
from warehouse.lake.tables import Written

PRODUCTS = "shopping_queries_dataset_products.parquet"
EXAMPLES = "shopping_queries_dataset_examples.parquet"
Row = dict[str, Any]
Write = Callable[..., Path]


def refusals(lake: Lake, table: str) -> list[tuple[str, str, Row]]:
    """Return the (key, rule, row) of the rows that a table refused."""
    with lake.reading() as connection:
        rows = connection.execute(
            'SELECT key, rule, row FROM quarantine.rows WHERE "table" = ? ORDER BY ALL', [table]
        ).fetchall()
    return [(key, rule, json.loads(row)) for key, rule, row in rows]


def titles(lake: Lake) -> dict[str, str]:
    with lake.reading() as connection:
        return dict(connection.sql("SELECT key, product_title FROM raw.products").fetchall())


def test_a_folder_is_ingested_unchanged(lake: Lake, write: Write) -> None:
    assert ingest(lake, write()) == [
        Ingested("raw.products", 4, inserted=4),
        Ingested("raw.judgements", 5, inserted=5),
        Ingested("raw.sources", 2, inserted=2),
    ]
    with lake.reading() as connection:
        assert catalog.row_counts(connection) == {
            "quarantine.rows": 0,
            "raw.files": 3,
            "raw.judgements": 5,
            "raw.products": 4,
            "raw.sources": 2,
        }
        first = connection.sql("SELECT * EXCLUDE (input_hash) FROM raw.products WHERE key = 'us:P1'").fetchone()
        assert first == (
            "us:P1",
            "P1",
            "us",
            "Nike <b>Running</b> Shoes 42",
            "<p>Light &amp; fast</p>",
            "Mesh\nFoam",
            "Nike",
            "Red",
        )
        judged = connection.sql(
            "SELECT key, example_id, esci_label FROM raw.judgements ORDER BY example_id LIMIT 2"
        ).fetchall()
        assert judged == [("us:1:P1", 1, "E"), ("us:1:P2", 2, "I")]
        assert connection.sql("SELECT key, query_id, source FROM raw.sources ORDER BY 1").fetchall() == [
            ("1", 1, "behavioral"),
            ("2", 2, "negations"),
        ]


def test_the_same_bytes_are_not_read_again(lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write()
    ingest(lake, folder)
    before = lake.snapshot()
    with monkeypatch.context() as patch:
        patch.setattr("warehouse.ingest.full_snapshot.FileRows", lambda *_: pytest.fail("the file was read"))
        again = ingest(lake, folder)
    assert again == [
        Ingested("raw.products", 4, unchanged_file=True),
        Ingested("raw.judgements", 5, unchanged_file=True),
        Ingested("raw.sources", 2, unchanged_file=True),
    ]
    assert lake.snapshot() == before


def test_only_what_differs_is_written(
    filled: Lake, write: Write, products: list[Row], product: Callable[..., Row]
) -> None:
    changed = [products[0], product("P2", "us", "Big Mug"), products[3], product("P9", "us", "New")]
    done = ingest(filled, write(products=changed))
    assert done[0] == Ingested("raw.products", 4, inserted=1, updated=1, deleted=1)
    assert done[1] == Ingested("raw.judgements", 5, unchanged_file=True)
    assert titles(filled) == {
        "us:P1": "Nike <b>Running</b> Shoes 42",
        "us:P2": "Big Mug",
        "jp:P3": "ナイキ シューズ",
        "us:P9": "New",
    }


def test_other_bytes_of_the_same_rows_change_nothing_but_the_record(
    filled: Lake, write: Write, products: list[Row]
) -> None:
    done = ingest(filled, write(products=products[::-1]))
    assert done[0] == Ingested("raw.products", 4)


def test_there_and_back_again(
    lake: Lake, write: Write, products: list[Row], fingerprints: Callable[..., dict[str, str]]
) -> None:
    a, b = write(), write(products=products[:1], sources="query_id,source\n1,other\n")
    ingest(lake, a)
    of_a = fingerprints(lake, "raw", "quarantine")
    ingest(lake, b, allow_loss=True)
    assert fingerprints(lake, "raw", "quarantine") != of_a
    ingest(lake, a)
    assert fingerprints(lake, "raw", "quarantine") == of_a


def test_a_snapshot_without_sources_empties_them(lake: Lake, write: Write) -> None:
    without = write(sources=None)
    assert ingest(lake, without)[2] == Ingested("raw.sources", 0)
    before = lake.snapshot()
    assert ingest(lake, without)[2] == Ingested("raw.sources", 0, unchanged_file=True)
    assert lake.snapshot() == before
    assert ingest(lake, write(sources="query_id,source\n1,x\nbad,y\n"))[2] == Ingested(
        "raw.sources", 2, inserted=1, quarantined=1
    )
    assert ingest(lake, without)[2] == Ingested("raw.sources", 0, deleted=1)
    assert refusals(lake, "raw.sources") == []


def test_a_bad_source_is_refused(lake: Lake, write: Write) -> None:
    done = ingest(lake, write(sources="query_id,source\n1,behavioral\nabc,x\n,y\n,z\n7,\n 8 ,ok\n"))
    assert done[2] == Ingested("raw.sources", 6, inserted=2, quarantined=4)
    assert refusals(lake, "raw.sources") == [
        ("", "key_empty", {"query_id": None, "source": "y"}),
        ("", "key_empty", {"query_id": None, "source": "z"}),
        ("", "query_id_missing", {"query_id": None, "source": "y"}),
        ("", "query_id_missing", {"query_id": None, "source": "z"}),
        ("7", "source_missing", {"query_id": 7, "source": None}),
        ("abc", "query_id_missing", {"query_id": None, "source": "x"}),
    ]


def test_bad_products_are_refused_rule_by_rule_and_the_rest_goes_on(
    filled: Lake,
    write: Write,
    products: list[Row],
    product: Callable[..., Row],
    fingerprints: Callable[..., dict[str, str]],
) -> None:
    good = fingerprints(filled, "raw")["raw.products"]
    bad = [
        product(None, "us", "No id"),
        product(None, "us", "No id either"),
        product("", "es", "Empty id"),
        product("P5", "English", "Bad locale"),
        product("P5", None, "No locale"),
        product("P6", "us", None),
        product("P7", "us", " \u00a0\t"),
        product("P8", "U.S.", ""),
        products[1],
        products[1],
        product("P1", "es", "Zapatillas otras"),
    ]
    done = ingest(filled, write(products=[*products, *bad]))
    assert done[0] == Ingested("raw.products", 15, quarantined=11)
    rules = refusals(filled, "raw.products")
    assert [(key, rule) for key, rule, _ in rules] == [
        (":P5", "product_locale_missing"),
        ("English:P5", "product_locale_malformed"),
        ("U.S.:P8", "product_locale_malformed"),
        ("U.S.:P8", "product_title_blank"),
        ("es:", "product_id_empty"),
        ("es:P1", "duplicate_key"),
        ("us:", "product_id_missing"),
        ("us:", "product_id_missing"),
        ("us:P2", "duplicate_key"),
        ("us:P2", "duplicate_key"),
        ("us:P6", "product_title_missing"),
        ("us:P7", "product_title_blank"),
    ]
    assert rules[5][2] == {name: bad[-1][name] for name in rules[5][2]}
    assert rules[5][2].keys() == set(bad[-1])
    assert fingerprints(filled, "raw")["raw.products"] == good


def test_every_spelling_of_a_locale_is_one_locale(
    lake: Lake, write: Write, product: Callable[..., Row], judgement: Callable[..., Row]
) -> None:
    products = [product("P1", "en_US", "Mug"), product("P2", " EN-us", "Cup"), product("P1", "US", "Pot")]
    judgements = [
        judgement(1, "mug", 1, "P1", "en-US", "E", "train"),
        judgement(2, "mug", 1, "P2", "EN_US", "S", "train"),
    ]
    folder = write(products=products, judgements=judgements)
    ingest(lake, folder)
    assert titles(lake) == {"en-us:P1": "Mug", "en-us:P2": "Cup", "us:P1": "Pot"}
    with lake.reading() as connection:
        assert connection.sql("SELECT DISTINCT product_locale FROM raw.judgements").fetchall() == [("en-us",)]
        keys = connection.sql("SELECT key FROM raw.judgements ORDER BY key").fetchall()
    assert keys == [("en-us:1:P1",), ("en-us:1:P2",)]
    spelled_otherwise = [row | {"product_locale": row["product_locale"].lower()} for row in products]
    assert ingest(lake, write(products=spelled_otherwise, judgements=judgements))[0] == Ingested("raw.products", 3)


def test_bad_judgements_are_refused_rule_by_rule_and_the_rest_goes_on(
    filled: Lake,
    write: Write,
    judgements: list[Row],
    judgement: Callable[..., Row],
    fingerprints: Callable[..., dict[str, str]],
) -> None:
    good = fingerprints(filled, "raw")["raw.judgements"]
    bad = [
        judgement(11, "q", 11, "P1", "us", "X", "train"),
        judgement(12, "q", 12, "P1", "us", None, "train"),
        judgement(13, " ", 13, "P1", "us", "E", "train"),
        judgement(14, None, 14, "P1", "us", "E", "validation"),
        judgement(15, "q", 15, "", "us", "e", "dev"),
        judgements[0],
        judgements[0] | {"esci_label": "I"},
    ]
    done = ingest(filled, write(judgements=[*judgements, *bad]))
    assert done[1] == Ingested("raw.judgements", 12, quarantined=7)
    assert [(key, rule) for key, rule, _ in refusals(filled, "raw.judgements")] == [
        ("us:11:P1", "unknown_label"),
        ("us:12:P1", "esci_label_missing"),
        ("us:13:P1", "query_blank"),
        ("us:14:P1", "query_missing"),
        ("us:14:P1", "unknown_split"),
        ("us:15:", "product_id_empty"),
        ("us:15:", "unknown_label"),
        ("us:15:", "unknown_split"),
        ("us:1:P1", "duplicate_key"),
        ("us:1:P1", "duplicate_key"),
    ]
    assert fingerprints(filled, "raw")["raw.judgements"] == good


def test_of_rows_with_one_key_the_first_good_one_stays(
    lake: Lake, write: Write, products: list[Row], product: Callable[..., Row]
) -> None:
    bad, first, second = product("P9", "us", " "), product("P9", "us", "First"), product("P9", "us", "Second")
    assert ingest(lake, write(products=[bad, *products, first, second]))[0] == Ingested(
        "raw.products", 7, 5, quarantined=2
    )
    assert titles(lake)["us:P9"] == "First"
    assert [rule for _, rule, _ in refusals(lake, "raw.products")] == ["duplicate_key", "product_title_blank"]
    assert ingest(lake, write(products=[second, *products, bad, first]))[0].updated == 1
    assert titles(lake)["us:P9"] == "Second"
    assert ingest(lake, write(products=[bad, *products, bad]))[0] == Ingested(
        "raw.products", 6, deleted=1, quarantined=2
    )
    assert "us:P9" not in titles(lake)


def test_a_row_that_goes_bad_leaves_and_comes_back_when_it_is_mended(
    lake: Lake, write: Write, products: list[Row], product: Callable[..., Row]
) -> None:
    good = write()
    ingest(lake, good)
    broken = write(products=[products[0], product("P2", "us", ""), *products[2:]])
    assert ingest(lake, broken)[0] == Ingested("raw.products", 4, deleted=1, quarantined=1)
    assert "us:P2" not in titles(lake)
    assert [(key, rule) for key, rule, _ in refusals(lake, "raw.products")] == [("us:P2", "product_title_blank")]
    assert ingest(lake, good)[0] == Ingested("raw.products", 4, inserted=1)
    assert refusals(lake, "raw.products") == []


def test_extra_columns_and_smaller_integers_are_ingested(
    lake: Lake, write: Write, fingerprints: Callable[..., dict[str, str]]
) -> None:
    folder = write()
    ingest(lake, folder)
    before = fingerprints(lake, "raw")
    products, examples = pl.read_parquet(folder / PRODUCTS), pl.read_parquet(folder / EXAMPLES)
    products.with_row_index("__index_level_0__").with_columns(key=pl.lit("x"), row=pl.lit("y")).write_parquet(
        folder / PRODUCTS
    )
    examples.with_columns(pl.col(pl.Int64).cast(pl.Int32)).write_parquet(folder / EXAMPLES)
    done = ingest(lake, folder)
    assert [(one.inserted, one.updated, one.deleted) for one in done[:2]] == [(0, 0, 0), (0, 0, 0)]
    after = fingerprints(lake, "raw")
    assert (after["raw.products"], after["raw.judgements"]) == (before["raw.products"], before["raw.judgements"])


def test_a_column_without_values_is_ingested_as_null(lake: Lake, write: Write) -> None:
    folder = write()
    frame = pl.read_parquet(folder / PRODUCTS)
    frame.with_columns(product_color=pl.lit(None, dtype=pl.Int32)).write_parquet(folder / PRODUCTS)
    assert ingest(lake, folder)[0].inserted == 4


def test_judgements_may_say_when_and_in_which_context_they_were_made(lake: Lake, write: Write) -> None:
    folder = write()
    examples = pl.read_parquet(folder / EXAMPLES)
    times = pl.Series([datetime(2024, 2, 3, 4, 5), *[None] * 4])  # noqa: DTZ001 - files often have no zone: UTC
    examples.with_columns(event_time=times, context_key=pl.lit("young")).write_parquet(folder / EXAMPLES)
    ingest(lake, folder)
    with lake.reading() as connection:
        rows = connection.execute("SELECT event_time, context_key FROM raw.judgements ORDER BY example_id").fetchall()
    assert rows == [(datetime(2024, 2, 3, 4, 5, tzinfo=UTC), "young"), *[(None, "young")] * 4]


@pytest.mark.parametrize("event_time", [1_718_000_000, "2024-02-03"])
def test_a_time_of_another_type_is_refused(lake: Lake, write: Write, event_time: object) -> None:
    folder = write()
    examples = pl.read_parquet(folder / EXAMPLES).with_columns(event_time=pl.lit(event_time))
    examples.write_parquet(folder / EXAMPLES)
    with pytest.raises(WarehouseError, match=rf"{EXAMPLES}: column event_time is .*, not TIMESTAMP WITH TIME ZONE"):
        ingest(lake, folder)
    assert not lake.exists


def break_in_the_middle(path: Path) -> None:
    """Change bytes of the data but not of the footer, so that only reading the rows fails."""
    frame = pl.read_parquet(path)
    frame.write_parquet(path, compression="zstd")
    data = bytearray(path.read_bytes())
    middle = data.index(b"\x28\xb5\x2f\xfd") + 6  # within the first zstd frame
    data[middle : middle + 8] = bytes(byte ^ 0x5A for byte in data[middle : middle + 8])
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("name", [PRODUCTS, EXAMPLES])
@pytest.mark.parametrize("filled", [False, True])
def test_a_file_that_fails_late_writes_nothing(
    lake: Lake, write: Write, products: list[Row], name: str, filled: bool
) -> None:
    if filled:
        ingest(lake, write())
    before, files = lake.snapshot(), sorted(lake.root.rglob("*.parquet"))
    folder = write(products=[*products, products[0] | {"product_id": "P7"}])
    break_in_the_middle(folder / name)
    with pytest.raises(WarehouseError) as caught:
        ingest(lake, folder)
    assert str(caught.value).startswith(f"{folder / name} cannot be read: ")
    assert "\n" not in caught.value.message
    assert lake.exists == filled
    assert lake.snapshot() == before
    assert sorted(lake.root.rglob("*.parquet")) == files


def test_a_folder_that_is_refused_makes_no_lake(lake: Lake, write: Write) -> None:
    folder = write()
    (folder / PRODUCTS).unlink()
    with pytest.raises(WarehouseError, match="is missing"):
        ingest(lake, folder)
    assert not lake.root.exists()


def test_an_error_rolls_back_everything(
    filled: Lake, write: Write, products: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = filled.snapshot()
    with monkeypatch.context() as patch:
        patch.setattr("warehouse.ingest.full_snapshot._record", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ingest(filled, write(products=products[:2]))
    assert (filled.snapshot(), len(titles(filled))) == (before, 4)


def test_a_tightened_contract_looks_at_every_row_again(
    lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write()
    ingest(lake, folder)
    with monkeypatch.context() as patch:
        patch.setitem(vars(CONTRACTS["raw.products"]), "version", "another")
        assert ingest(lake, folder)[0] == Ingested("raw.products", 4, updated=4)


def test_raw_data_is_required(lake: Lake, write: Write) -> None:
    with pytest.raises(WarehouseError, match=r"no raw data in .*\n.*stockroom build --raw"):
        require_raw(lake)
    with lake.writing():
        pass
    with pytest.raises(WarehouseError, match="no raw data"):
        require_raw(lake)
    ingest(lake, write())
    require_raw(lake)


def test_files_are_ingested_if_their_bytes_made_the_tables(lake: Lake, write: Write, products: list[Row]) -> None:
    files = input_files(write())
    assert not are_ingested(lake, files)
    with lake.writing():
        pass
    assert not are_ingested(lake, files)
    ingest(lake, write())
    assert are_ingested(lake, files)
    assert are_ingested(lake, files[:1])
    assert not are_ingested(lake, input_files(write(products=products[:1])))


def test_a_new_column_is_reported_and_ignored_also_for_a_known_file(lake: Lake, write: Write) -> None:
    folder = write()
    path = folder / "shopping_queries_dataset_products.parquet"
    pl.read_parquet(path).with_columns(price=pl.lit(1.0), rating=pl.lit(5)).write_parquet(path)
    first, again = ingest(lake, folder), ingest(lake, folder)
    assert first[0].inserted == 4
    assert again[0].unchanged_file
    for done in (first, again):
        assert [one.warning for one in done] == [
            "raw.products: left out the columns that its contract does not declare: price, rating",
            "",
            "",
        ]
    with lake.reading() as connection:
        assert "price" not in connection.sql("FROM raw.products").columns


def test_the_change_feed_has_the_changes_of_a_file(
    lake: Lake, write: Write, products: list[Row], product: Callable[..., Row]
) -> None:
    ingest(lake, write(products=[*products, product("P7", "us", " ")]))
    before = lake.snapshot()
    changed = [products[0], product("P2", "us", "Big Mug"), products[3], product("P9", "us", "New")]
    ingest(lake, write(products=changed, sources=None))
    with lake.reading() as connection:
        counts = {
            table: count_changes(connection, CONTRACTS[table], before) for table in ("raw.products", "quarantine.rows")
        }
    assert counts["raw.products"] == Written(inserted=1, updated=1, deleted=1)
    assert counts["quarantine.rows"] == Written(inserted=0, updated=0, deleted=1)


def test_an_existing_row_is_recognized_among_others_with_its_key(
    lake: Lake, write: Write, products: list[Row], product: Callable[..., Row]
) -> None:
    ingest(lake, write())
    again, other = dict(products[0]), product(products[0]["product_id"], products[0]["product_locale"], "Other")
    assert ingest(lake, write(products=[*products, again, other]))[0] == Ingested("raw.products", 6, quarantined=2)
    assert ingest(lake, write(products=[other, *products]))[0] == Ingested("raw.products", 5, updated=1, quarantined=1)
    assert ingest(lake, write())[0] == Ingested("raw.products", 4, updated=1)
    assert refusals(lake, "raw.products") == []
