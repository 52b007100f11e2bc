"""A time-series file is ingested completely or not at all; an invalid one is refused with its file, column and row."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from warehouse.contracts.time_series import FeatureView
from warehouse.errors import WarehouseError
from warehouse.ingest.feature_view_files import FeatureViewIngested, check_files, ingest_file
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.settings import WarehouseSettings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TABLE = FeatureView.model_validate(
    {
        "name": "offers",
        "file": "offers.parquet",
        "entity": "product",
        "ttl_days": 30,
        "columns": [
            {"name": "price", "tower": "numeric", "meaning": "price in USD"},
            {"name": "seller", "tower": "categorical", "meaning": "who sells it"},
            {"name": "in_stock", "tower": "numeric", "type": "flag", "meaning": "whether it can be sent at once"},
        ],
    }
)


def rows(**changes):
    """Return the columns of a valid file of three rows, with some columns replaced."""
    columns = {
        "product_key": ["us:A", "us:A", "us:B"],
        "event_time": [NOW - 2 * DAY, NOW - DAY, NOW],
        "price": [1.5, 2.5, None],
        "seller": ["Ann", None, "Ben"],
        "in_stock": [True, False, None],
    }
    return {name: values for name, values in (columns | changes).items() if values is not None}


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(tmp_path / "lake", WarehouseSettings(threads=1))


@pytest.fixture
def write(tmp_path):
    def write(columns, name="offers.parquet"):
        frame = pl.DataFrame(columns, strict=False)
        frame.write_parquet(tmp_path / name)
        return tmp_path / name

    return write


def stored(lake, what="entity_key, event_time, price, seller, in_stock"):
    with lake.reading() as connection:
        return connection.execute(f"SELECT {what} FROM timeseries.offers ORDER BY key").fetchall()


def test_a_file_becomes_a_table_and_is_not_read_twice(lake, write, tmp_path) -> None:
    write(rows())
    assert ingest_file(lake, tmp_path, TABLE, NOW) == FeatureViewIngested(inserted=3)
    assert stored(lake, "entity_key, price, seller, in_stock") == [
        ("us:A", 1.5, "Ann", True),
        ("us:A", 2.5, None, False),
        ("us:B", None, "Ben", None),
    ]
    snapshot = lake.snapshot()
    assert ingest_file(lake, tmp_path, TABLE, NOW) == FeatureViewIngested(unchanged_file=True)
    assert lake.snapshot() == snapshot


def test_only_what_changed_is_written(lake, write, tmp_path) -> None:
    write(rows())
    ingest_file(lake, tmp_path, TABLE, NOW)
    write(rows(event_time=[NOW - 2 * DAY, NOW - DAY, NOW - DAY / 2], price=[1.5, 9.0, None]))
    assert ingest_file(lake, tmp_path, TABLE, NOW) == FeatureViewIngested(inserted=1, updated=1, deleted=1)
    write(
        rows(
            event_time=[NOW - DAY, NOW - 2 * DAY, NOW - DAY / 2],
            price=[9.0, 1.5, None],
            seller=[None, "Ann", "Ben"],
            in_stock=[False, True, None],
        )
    )
    snapshot = lake.snapshot()
    assert ingest_file(lake, tmp_path, TABLE, NOW) == FeatureViewIngested()  # the same rows in another order
    assert lake.snapshot() == snapshot + 1  # the file's hash is remembered


def test_the_key_may_be_put_together_from_columns(lake, write, tmp_path) -> None:
    table = TABLE.model_copy(update={"key": ("product_locale", "product_id")})
    columns = rows(product_key=None) | {"product_locale": ["us", "us", "jp"], "product_id": ["A", "B", "A"]}
    write(columns)
    ingest_file(lake, tmp_path, table, NOW)
    assert {key for (key,) in stored(lake, "entity_key")} == {"us:A", "us:B", "jp:A"}


@pytest.mark.parametrize(("entity", "keys"), [("product", {"en-us:A", "B"}), ("context", {"en_US:A", "B"})])
def test_the_locale_in_the_key_of_a_product_has_its_normal_form(lake, write, tmp_path, entity, keys) -> None:
    write(rows(product_key=["en_US:A", "en_US:A", "B"]))
    ingest_file(lake, tmp_path, TABLE.model_copy(update={"entity": entity, "key": "product_key"}), NOW)
    assert {key for (key,) in stored(lake, "entity_key")} == keys


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (pl.Series([18_000, 18_001, 18_002]).cast(pl.Date), datetime(2019, 4, 14, tzinfo=UTC)),
        (pl.Series([1, 2001, 5001]).cast(pl.Datetime("ns")), datetime(1970, 1, 1, microsecond=1, tzinfo=UTC)),
        (pl.Series([1, 2, 3]).cast(pl.Datetime("ms")), datetime(1970, 1, 1, microsecond=1000, tzinfo=UTC)),
    ],
)
def test_times_without_a_zone_are_utc_and_are_never_moved_into_the_past(lake, write, tmp_path, times, expected) -> None:
    write(rows(event_time=times))
    ingest_file(lake, tmp_path, TABLE, NOW)
    assert min(time for (time,) in stored(lake, "event_time")) == expected


def test_what_is_not_finite_is_no_number(lake, write, tmp_path) -> None:
    write(rows(price=[float("nan"), float("inf"), 3.0]))
    ingest_file(lake, tmp_path, TABLE, NOW)
    assert stored(lake, "price") == [(None,), (None,), (3.0,)]


BAD = {
    "no key column": (rows(product_key=None), "offers.parquet has no column product_key"),
    "no event_time column": (rows(event_time=None), "offers.parquet has no column event_time"),
    "no feature column": (rows(seller=None), "offers.parquet has no column seller"),
    "a row without a key": (
        rows(product_key=["us:A", None, None]),
        "offers.parquet: column product_key, row 2: the product has no key: nothing (product_key_missing)",
    ),
    "an empty key": (
        rows(product_key=["us:A", "us:B", ""]),
        "offers.parquet: column product_key, row 3: the product has no key: '' (product_key_empty)",
    ),
    "a row without a time": (
        rows(event_time=[NOW, None, NOW]),
        "offers.parquet: column event_time, row 2: the row has no time: nothing (event_time_missing)",
    ),
    "a time in the future": (
        rows(event_time=[NOW, NOW - DAY, NOW + timedelta(microseconds=1)]),
        "offers.parquet: column event_time, row 3: the time lies in the future: '2026-01-01 00:00:00.000001+00' "
        "(event_time_in_future)",
    ),
    "an infinite time": (
        rows(event_time=pl.Series([0, 2**63 - 1, 0]).cast(pl.Datetime("us", "UTC"))),
        "offers.parquet: column event_time, row 2: the time is infinite: 'infinity' (event_time_malformed)",
    ),
    "a key with a blank at its end": (
        rows(product_key=["us:A", "us:B ", "us:C"]),
        "offers.parquet: column product_key, row 2: it is not a valid id: 'us:B ' (product_key_malformed)",
    ),
    "a key that is too long": (
        rows(product_key=["us:A", "us:B", "x" * 257]),
        "offers.parquet: column product_key, row 3: the id is too long: 'xxx",
    ),
    "a key that is a list": (
        rows(product_key=[["us:A"], ["us:B"], ["us:C"]]),
        "offers.parquet: column product_key, row 1: it is VARCHAR[], not text or a whole number: \"['us:A']\" "
        "(product_key_wrong_type)",
    ),
    "a column in other letters": (
        {**rows(price=None), "Price": [1.0, 2.0, 3.0]},
        "offers.parquet has a column 'Price', not 'price'",
    ),
    "a time that is none": (
        rows(event_time=["2022-01-01", "2022-01-02", "2022-01-03"]),
        "offers.parquet: column event_time, row 1: it is VARCHAR, not a time: '2022-01-01' (event_time_wrong_type)",
    ),
    "a key and time twice": (
        rows(product_key=["us:A", "us:B", "us:A"], event_time=[NOW, NOW, NOW]),
        "offers.parquet: columns product_key and event_time, row 3: row 1 already has the key 'us:A' and the time "
        "2026-01-01 00:00:00+00",
    ),
    "text among numbers": (
        rows(price=["1", "2", "n/a"]),
        "offers.parquet: column price, row 3: it is VARCHAR and must hold numbers: 'n/a'",
    ),
    "numbers written as text": (
        rows(price=[None, "2", "3"]),
        "offers.parquet: column price, row 2: it is VARCHAR and must hold numbers: '2'",
    ),
    "numbers instead of text": (
        rows(seller=[None, 7, 8]),
        "offers.parquet: column seller, row 2: it is BIGINT and must hold text: '7'",
    ),
    "numbers instead of a flag": (
        rows(in_stock=[0, 1, 2]),
        "offers.parquet: column in_stock, row 3: it is BIGINT and must hold true or false: '2'",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_wrong_file_is_refused_by_file_column_and_row_and_writes_nothing(lake, write, tmp_path, fault) -> None:
    write(rows())
    ingest_file(lake, tmp_path, TABLE, NOW)
    before, snapshot = stored(lake), lake.snapshot()
    columns, message = BAD[fault]
    path = write(columns)
    for refuse in (lambda: ingest_file(lake, tmp_path, TABLE, NOW), lambda: check_files(lake, tmp_path, [TABLE], NOW)):
        with pytest.raises(WarehouseError) as caught:
            refuse()
        assert str(path.parent) in caught.value.message
        assert message in caught.value.message
        assert "\n" not in caught.value.message
        assert caught.value.hint
    assert (stored(lake), lake.snapshot()) == (before, snapshot)


def test_a_column_of_nothing_may_have_any_type(lake, write, tmp_path) -> None:
    write(rows(price=pl.Series([None, None, None], dtype=pl.String)))
    assert ingest_file(lake, tmp_path, TABLE, NOW) == FeatureViewIngested(inserted=3)


def test_a_missing_and_a_broken_file_are_named(lake, tmp_path) -> None:
    with pytest.raises(WarehouseError, match=r"offers.parquet is missing"):
        ingest_file(lake, tmp_path, TABLE, NOW)
    (tmp_path / "offers.parquet").write_bytes(b"PAR1 no parquet PAR1")
    with pytest.raises(WarehouseError, match=r"offers.parquet cannot be read"):
        ingest_file(lake, tmp_path, TABLE, NOW)
    assert not lake.exists


def test_a_new_declaration_reads_the_file_again(lake, write, tmp_path) -> None:
    write(rows())
    ingest_file(lake, tmp_path, TABLE, NOW)
    fewer = TABLE.model_copy(update={"columns": TABLE.columns[:1]})
    assert not ingest_file(lake, tmp_path, fewer, NOW).unchanged_file
    with lake.reading() as connection:
        assert tables.count(connection, "timeseries.offers") == 3
        assert [name for name, *_ in connection.execute("DESCRIBE timeseries.offers").fetchall()][:4] == [
            "key",
            "entity_key",
            "event_time",
            "price",
        ]
