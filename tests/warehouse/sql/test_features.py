"""The SQL tables, run on small literal inputs."""

import math
from datetime import UTC, datetime
from typing import Any

import duckdb
import polars as pl
import pytest

from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.transform.words import query_amounts, query_words

JUDGED_AT = datetime(2022, 6, 14, tzinfo=UTC)
LATER = datetime(2024, 2, 3, 4, 5, tzinfo=UTC)
Rows = list[tuple[Any, ...]]


def fill(connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert rows into a table of a contract; missing values are null, and the input hash is the key."""
    tables.ensure(connection, CONTRACTS[table])
    types = {name: column.dtype for name, column in CONTRACTS[table].columns.items()}
    frame = pl.DataFrame(rows, schema=types | {"input_hash": pl.String}).with_columns(input_hash="key")
    connection.register("given_rows", frame)
    connection.execute(f"INSERT INTO {table} BY NAME FROM given_rows")
    connection.unregister("given_rows")


def answer(connection: duckdb.DuckDBPyConnection, table: str, **parameters: object) -> Rows:
    """Refresh a table and return its rows by key, without the hash."""
    tables.refresh(connection, CONTRACTS[table], parameters)
    columns = ", ".join(CONTRACTS[table].columns)
    return connection.sql(f"SELECT {columns} FROM {table} ORDER BY key").fetchall()


def query(locale: str, query_id: int, text: str, split: str = "train") -> dict[str, Any]:
    row = {"key": f"{locale}:{query_id}", "query_id": query_id, "locale": locale, "query": text, "split": split}
    return row | {"words": " ".join(query_words(text, locale)), "amounts": query_amounts(text)}


def product(locale: str, product_id: str, title: str, **others: str) -> dict[str, Any]:
    row = {"key": f"{locale}:{product_id}", "product_id": product_id, "locale": locale, "title": title, **others}
    head = " ".join([title, others.get("brand", ""), others.get("color", "")])
    body = " ".join([others.get("bullet_points", ""), others.get("description", "")])
    words = {name: " ".join(query_words(text, locale)) for name, text in (("title_words", head), ("body_words", body))}
    return row | words | {"amounts": query_amounts(title)}


def judgement(locale: str, query_id: int, product_id: str, label: str = "E", split: str = "train") -> dict[str, Any]:
    return {
        "key": f"{locale}:{query_id}:{product_id}",
        "query_key": f"{locale}:{query_id}",
        "product_key": f"{locale}:{product_id}",
        "locale": locale,
        "query_id": query_id,
        "product_id": product_id,
        "label": label,
        "split": split,
        "small_version": True,
        "judged_at": JUDGED_AT,
    }


def test_product_features(connection: duckdb.DuckDBPyConnection) -> None:
    fill(
        connection,
        "staging.products",
        [
            product(
                "us",
                "P1",
                "Nike Air 90 size 42",
                description="Light",
                bullet_points="Mesh\nFoam\nRubber",
                brand="NIKE",
                brand_key="nike",
                color="Red",
                color_key="red",
            ),
            product("us", "P2", "Mug"),
            product("jp", "P3", "靴 ２", brand="ナイキ", brand_key="ナイキ"),
        ],
    )
    none = (None,) * 5
    assert answer(connection, "features.products") == [
        ("jp:P3", "P3", "jp", "ナイキ", None, "han", 3, 2, 0, None, *none, 0, 0, 0, 0.25, False),
        ("us:P1", "P1", "us", "nike", "red", "latin", 19, 5, 2, 90, *none, 5, 3, 16, 1.0, True),
        ("us:P2", "P2", "us", None, None, "latin", 3, 1, 0, None, *none, 0, 0, 0, 0.0, False),
    ]


@pytest.mark.parametrize(
    ("title", "sizes"),
    [
        ("Shampoo 250ml", {"volume_ml": 250}),
        ("Soap 11.2 Fl Oz, pack of 6", {"volume_ml": 331.22, "pack_count": 6}),
        ("Aceite 1,5 litros", {"volume_ml": 1500}),
        ("Hay 1,500 g", {"weight_g": 1500}),
        ("Hay 50 lb.", {"weight_g": 22679.6}),
        ("ミルク 500ml×24本", {"volume_ml": 500, "pack_count": 24}),
        ('Case for MacBook 13"', {"length_cm": 33.02}),
        ("Sign 18'' x 24''", {"length_cm": 60.96}),
        ("Ribbon 12-inch, 20 pcs", {"length_cm": 30.48, "pack_count": 20}),
        ("Set of 6 chairs", {"pack_count": 6}),
        ("$25 gift card", {"title_price": 25}),
        ("ギフト 500円", {"title_price": 500}),
        ("Jeans 36W x 29L", {}),
        ("Phone 5G", {}),
        ("Hub 2 in 1, size 9 M US", {}),
        ("Screw 1/2 inch", {}),
    ],
)
def test_amounts_in_titles(connection: duckdb.DuckDBPyConnection, title: str, sizes: dict[str, float]) -> None:
    fill(connection, "staging.products", [product("us", "P1", title)])
    tables.refresh(connection, CONTRACTS["features.products"])
    names = ("title_price", "pack_count", "volume_ml", "weight_g", "length_cm")
    row = connection.sql(f"SELECT {', '.join(names)} FROM features.products").fetchone()
    assert {name: value for name, value in zip(names, row or (), strict=True) if value is not None} == sizes


@pytest.mark.parametrize(
    ("title", "script"),
    [
        ("Mug", "latin"),
        ("Ñandú", "latin"),
        ("マグ カップ mug", "kana"),
        ("洗濯機", "han"),
        ("머그", "hangul"),
        ("Кружка", "cyrillic"),
        ("90", None),
        ("９０ ★", None),
    ],
)
def test_the_script_is_that_of_most_letters(
    connection: duckdb.DuckDBPyConnection, title: str, script: str | None
) -> None:
    fill(connection, "staging.products", [product("us", "P1", title)])
    fill(connection, "staging.queries", [query("us", 1, title)])
    fill(connection, "fitted.vocabulary", [])
    for table, column in (("features.products", "title_script"), ("features.queries", "query_script")):
        tables.refresh(connection, CONTRACTS[table])
        assert connection.sql(f"SELECT {column} FROM {table}").fetchone() == (script,)


def test_query_features(connection: duckdb.DuckDBPyConnection) -> None:
    fill(
        connection,
        "staging.queries",
        [query("us", 1, "mug Without handle 2 l 10"), query("us", 2, "nothing"), query("jp", 3, "持ち手なし カップ")],
    )
    fill(connection, "fitted.vocabulary", [])
    none = (None, None)
    assert answer(connection, "features.queries") == [
        ("jp:3", "jp", *none, "kana", 9, 2, 0, False, False, True),
        ("us:1", "us", *none, "latin", 25, 6, 2, False, False, True),
        ("us:2", "us", *none, "latin", 7, 1, 0, False, False, False),
    ]


@pytest.mark.parametrize(
    ("text", "brand", "color"),
    [
        ("New Balance shoes", "newbalance", None),
        ("levi's jeans light-blue", "levis", "lightblue"),
        ("blue mug", None, "blue"),
        ("newbalances", None, None),
        ("x mug", None, None),
        ("ナイキ シューズ", "ナイキ", None),
    ],
)
def test_a_query_names_the_longest_known_brand_and_color_by_whole_words(
    connection: duckdb.DuckDBPyConnection, text: str, brand: str | None, color: str | None
) -> None:
    vocabulary = [("brand", value) for value in ("new", "newbalance", "levis", "ナイキ", "x")]
    vocabulary += [("color", value) for value in ("blue", "lightblue")]
    words = [{"key": f"{kind}:{value}", "kind": kind, "value": value} for kind, value in vocabulary]
    fill(connection, "fitted.vocabulary", words)
    fill(connection, "staging.queries", [query("us", 1, text)])
    tables.refresh(connection, CONTRACTS["features.queries"])
    row = connection.sql("SELECT query_brand, query_color, has_brand, has_color FROM features.queries").fetchone()
    assert row == (brand, color, brand is not None, color is not None)


@pytest.mark.parametrize(
    ("text", "excludes"),
    [
        ("shoes not red", True),
        ("no sugar", True),
        ("leche sin lactosa", True),
        ("砂糖以外", True),
        ("notebook", False),
        ("casino table", False),
        ("without", True),
        ("knot", False),
    ],
)
def test_negation(connection: duckdb.DuckDBPyConnection, text: str, excludes: bool) -> None:
    fill(connection, "staging.queries", [query("us", 1, text)])
    fill(connection, "fitted.vocabulary", [])
    assert answer(connection, "features.queries")[0][-1] is excludes


def test_pair_features(connection: duckdb.DuckDBPyConnection) -> None:
    fill(
        connection,
        "staging.queries",
        [
            query("us", 1, "red NIKE shoes red"),
            query("us", 2, "!!!"),
            query("us", 3, "unjudged"),
            query("us", 4, "scarred mug 12 1.5"),
        ],
    )
    fill(
        connection,
        "staging.products",
        [
            product("us", "P1", "Shoes, running", brand="Nike", color="Red"),
            product("us", "P2", "Red mug 1.5 12", color="red", description="A mug, not scarred"),
        ],
    )
    named = [("us:1", "nike", "red"), ("us:2", None, None), ("us:3", None, None), ("us:4", None, None)]
    fill(
        connection,
        "features.queries",
        [{"key": key, "query_brand": brand, "query_color": color} for key, brand, color in named],
    )
    weights = {"red": 1.0, "nike": 2.0, "shoe": 1.0, "mug": 2.0, "": 4.0}
    fill(
        connection,
        "fitted.words",
        [{"key": f"us:{word}", "locale": "us", "word": word, "weight": weight} for word, weight in weights.items()],
    )
    fill(
        connection,
        "staging.judgements",
        [judgement("us", 1, "P1"), judgement("us", 1, "P2"), judgement("us", 2, "P1"), judgement("us", 4, "P2")],
    )
    # A title of 4 words divides by 1 + 0.3 (0.4 + 0.6 * 4 / 20), a body of 4 words by 1 + 1.2 (0.25 + 0.75 * 4 / 100).
    title, body = 14 / 1.174, 6 / 1.336
    none, nothing = (None,) * 4, (0,) * 8
    expected = [
        (
            *("us:1:P1", "us:1", "us:P1", 3, 4, 4 / 1.156, 4 / 1.156, 0, 1, 1, 1, 0, 3 / 4, 0, 1, None, None),
            *(False, True, True, False, 1, 1),
        ),
        (
            *(
                "us:1:P2",
                "us:1",
                "us:P2",
                3,
                6,
                1 / 1.174,
                1 / 1.174,
                0,
                1 / 3,
                1 / 4,
                1 / 4,
                0,
                1 / 6,
                0,
                1,
                None,
                None,
            ),
            *(False, True, True, False, 0, 1),
        ),
        ("us:2:P1", "us:2", "us:P1", 0, 4, *nothing, *none, False, False, False, False, None, None),
        (
            *(
                "us:4:P2",
                "us:4",
                "us:P2",
                5,
                6,
                title + 0.3 * body,
                title,
                body,
                1,
                1,
                14 / 18,
                6 / 18,
                4 / 6,
                1 / 4,
                2,
                1,
            ),
            *(None, False, False, True, False, None, None),
        ),
    ]
    for row, values in zip(answer(connection, "features.pairs"), expected, strict=True):
        assert row[:3] == values[:3]
        assert row[3:] == pytest.approx(values[3:])


def test_word_counts(connection: duckdb.DuckDBPyConnection) -> None:
    mugs = [product("us", "P1", "Red mug, mugs"), product("us", "P2", "Mug", color="red"), product("us", "P3", "Cup")]
    fill(connection, "staging.products", [*mugs, product("us", "P4", "!!!"), product("es", "P1", "Taza")])
    # ln(1 + (3 - n + 0.5) / (n + 0.5)) for a word of n of the three products that have words
    assert answer(connection, "fitted.words") == [
        ("es:", "es", "", 0, pytest.approx(math.log(4))),
        ("es:taz", "es", "taz", 1, pytest.approx(math.log(4 / 3))),
        ("us:", "us", "", 0, pytest.approx(math.log(8))),
        ("us:cup", "us", "cup", 1, pytest.approx(math.log(8 / 3))),
        ("us:mug", "us", "mug", 2, pytest.approx(math.log(8 / 5))),
        ("us:red", "us", "red", 2, pytest.approx(math.log(8 / 5))),
    ]


def test_staging_judgements_are_those_whose_query_and_product_are_there(connection: duckdb.DuckDBPyConnection) -> None:
    fill(connection, "staging.queries", [query("us", 1, "mug", "test"), query("es", 1, "taza")])
    fill(connection, "staging.products", [product("us", "P1", "Mug"), product("es", "P2", "Taza")])
    common = {"query_id": 1, "split": "train", "large_version": 1}
    fill(
        connection,
        "raw.judgements",
        [
            {
                "key": "us:1:P1",
                "product_id": "P1",
                "product_locale": "us",
                "esci_label": "S",
                "small_version": 0,
                "event_time": LATER,
                "context_key": " young ",
                **common,
            },
            {
                "key": "us:1:P2",
                "product_id": "P2",
                "product_locale": "us",
                "esci_label": "E",
                "small_version": 1,
                **common,
            },
            {
                "key": "es:1:P2",
                "product_id": "P2",
                "product_locale": "es",
                "esci_label": "E",
                "small_version": 1,
                **common,
            },
        ],
    )
    assert answer(connection, "staging.judgements", judged_at=JUDGED_AT) == [
        ("es:1:P2", "es:1", "es:P2", "es", 1, "P2", "E", "train", True, None, JUDGED_AT),
        ("us:1:P1", "us:1", "us:P1", "us", 1, "P1", "S", "test", False, "young", LATER),
    ]


@pytest.fixture
def judged(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Fill the sources of training.pairs: 40 train queries, each text twice, and one test query."""
    trained = [query("us", number, f"text {number // 2}") for number in range(40)]
    shouted = query("us", 40, "TEXT 3")
    in_test = [query("us", 50, "secret", "test"), query("us", 51, "Secret"), query("es", 52, "secret")]
    queries = [*trained, shouted, *in_test]
    fill(connection, "staging.queries", queries)
    fill(connection, "features.queries", [{"key": one["key"]} for one in queries])
    mugs = [product("us", "P1", "Mug"), product("es", "P1", "Taza"), product("us", "P2", "Cup")]
    fill(connection, "staging.products", mugs)
    fill(connection, "features.products", [{"key": one["key"]} for one in mugs])
    labels = ["E", "S", "C", "I"]
    pairs = [
        judgement(one["locale"], one["query_id"], "P1", labels[one["query_id"] % 4], one["split"]) for one in queries
    ]
    fill(connection, "staging.judgements", pairs)
    return connection


def splits(connection: duckdb.DuckDBPyConnection, percent: int) -> dict[str, str]:
    tables.refresh(connection, CONTRACTS["splits.queries"], {"validation_percent": percent})
    tables.refresh(connection, CONTRACTS["training.pairs"])
    return dict(connection.sql("SELECT query_key, split FROM training.pairs").fetchall())


def test_training_pairs_are_graded(judged: duckdb.DuckDBPyConnection) -> None:
    splits(judged, 0)
    rows = judged.sql(
        "SELECT key, query_key, product_key, query, label, gain, split, small_version FROM training.pairs"
    ).fetchall()
    pairs = {row[0]: row[1:] for row in rows}
    assert pairs["us:0:P1"] == ("us:0", "us:P1", "text 0", "E", 1.0, "train", True)
    assert {row[3]: row[4] for row in pairs.values()} == {"E": 1.0, "S": 0.1, "C": 0.01, "I": 0.0}


def test_a_train_text_that_stands_in_test_of_its_locale_is_left_out(judged: duckdb.DuckDBPyConnection) -> None:
    splits_by_query = splits(judged, 0)
    assert len(splits_by_query) == 43
    assert splits_by_query["us:50"] == "test"
    assert "us:51" not in splits_by_query
    assert splits_by_query["es:52"] == "train"


def test_validation_is_carved_from_train_by_text(judged: duckdb.DuckDBPyConnection) -> None:
    assert set(splits(judged, 0).values()) == {"train", "test"}
    half = splits(judged, 50)
    sides = {text: {half[f"us:{2 * text}"], half[f"us:{2 * text + 1}"]} for text in range(20)}
    assert all(len(side) == 1 for side in sides.values())
    assert sides[3] == {half["us:40"]}
    assert 4 <= sum(side == {"validation"} for side in sides.values()) <= 16
    assert half["us:50"] == "test"
    assert splits(judged, 50) == half


def test_a_larger_share_keeps_what_was_carved(judged: duckdb.DuckDBPyConnection) -> None:
    some, more = splits(judged, 20), splits(judged, 50)
    carved = {key for key, split in some.items() if split == "validation"}
    assert carved
    assert carved < {key for key, split in more.items() if split == "validation"}


@pytest.mark.parametrize(
    "change", ["title = 'Big mug'", "brand = 'Acme'", "color = 'red'", "title = 'M', brand = 'ug'"]
)
def test_the_hash_of_a_pair_follows_the_text_that_is_encoded(judged: duckdb.DuckDBPyConnection, change: str) -> None:
    splits(judged, 0)
    before = dict(judged.sql("SELECT key, product_input_hash FROM training.pairs").fetchall())
    judged.execute(f"UPDATE staging.products SET {change} WHERE key = 'us:P1'")
    change_plan = tables.refresh(judged, CONTRACTS["training.pairs"])
    after = dict(judged.sql("SELECT key, product_input_hash FROM training.pairs").fetchall())
    assert change_plan.counts == {"inserted": 0, "updated": 42, "deleted": 0}
    assert all((before[key] == after[key]) == key.startswith("es:") for key in before)


def test_the_hash_of_a_pair_does_not_follow_what_is_not_encoded(judged: duckdb.DuckDBPyConnection) -> None:
    splits(judged, 0)
    judged.execute("UPDATE staging.products SET input_hash = 'cleaned again', description = 'other'")
    assert tables.refresh(judged, CONTRACTS["training.pairs"]).is_empty


@pytest.mark.parametrize("name", ["products", "queries", "training_pairs", "split_judgements"])
def test_every_read_answers_in_order(judged: duckdb.DuckDBPyConnection, name: str) -> None:
    splits(judged, 15)
    parameters = {"split": "test"} if name == "split_judgements" else None
    frame = judged.execute(tables.sql(f"datasets.{name}"), parameters).pl()
    assert frame.height == {"products": 3, "queries": 44, "training_pairs": 42, "split_judgements": 1}[name]
    assert isinstance(frame, pl.DataFrame)


def test_the_vocabulary_counts_the_judged_products_of_the_train_split(judged: duckdb.DuckDBPyConnection) -> None:
    splits(judged, 0)
    judged.execute("UPDATE staging.products SET brand_key = 'acme', color_key = if(locale = 'us', 'red', null)")
    tables.refresh(judged, CONTRACTS["fitted.vocabulary"])
    columns = "key, id, kind, value, products, share"
    assert judged.sql(f"SELECT {columns} FROM fitted.vocabulary ORDER BY key").fetchall() == [
        ("brand:acme", 1, "brand", "acme", 2, 1.0),  # us:P2 is not judged
        ("color:red", 1, "color", "red", 1, 1.0),
    ]
