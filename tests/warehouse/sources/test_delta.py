"""Deltas in the shape of a source: op and event_time are read as in any delta, and attributes follow their products."""

from datetime import UTC, datetime

import polars as pl
import pytest

from warehouse.declaration.source import Source
from warehouse.errors import WarehouseError
from warehouse.sources.delta import converted_delta, merge_attributes

SHOP = Source(
    kind="products",
    files=("p.csv",),
    columns={"product_id": "sku", "title": "name"},
    attributes=[{"name": "price", "type": "money"}],
)
JUDGED = Source(kind="judgements", files=("j.csv",), columns={"query": "q", "product_id": "sku", "label": "label"})
HEADER = "op,event_time,sku,name,price\n"
NOON, LATER = (datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (12, 13))


@pytest.fixture
def convert(tmp_path):
    def converted(text, *sources, name="changes.csv"):
        (tmp_path / name).write_text(text)
        return converted_delta(tmp_path / name, sources or (SHOP,), tmp_path / "out")

    return converted


@pytest.fixture
def merge(convert, tmp_path):
    """Return a function that merges a delta into two products of price 1, and returns the prices by id."""

    def merged(text, *decided, before=None, refused=()):
        path = tmp_path / "attributes.parquet"
        frame = before if before is not None else pl.DataFrame({"price": [1.0, 1.0]})
        frame.insert_column(0, pl.Series("product_locale", ["us", "us"])).insert_column(
            1, pl.Series("product_id", ["a", "b"])
        ).write_parquet(path)
        schema = {"key": pl.String, "event_time": pl.Datetime("us", "UTC")}
        attributes = convert(text).attributes
        valid = pl.read_parquet(attributes).select("delta_row").filter(~pl.col("delta_row").is_in(refused))
        merge_attributes(path, attributes, valid, pl.DataFrame(decided, schema=schema, orient="row"))
        return dict(pl.read_parquet(path).select("product_id", "price").iter_rows())

    return merged


def test_times_are_typed_and_a_time_that_cannot_be_read_is_refused_with_its_place(convert):
    delta = convert(HEADER + "upsert,2026-01-01T12:00:00Z,a,A,$2\nupsert,soon,b,B,$3\nupsert,,c,C,$4\n")
    assert pl.read_parquet(delta.path).select("product_id", "event_time").rows() == [("a", NOON), ("c", None)]
    assert delta.unread.select("key", "rule").rows() == [("changes.csv line 3", "event_time_wrong_type")]


def test_the_attributes_of_a_row_that_decided_its_product_count(merge):
    assert merge(HEADER + "upsert,,a,A,$2\ndelete,,b,,\n", ("us:a", None), ("us:b", None)) == {"a": 2.0}


def test_the_attributes_of_a_late_a_refused_and_a_superseded_row_change_nothing(merge):
    rows = "upsert,2026-01-01T12:00:00Z,a,A,$2\nupsert,2026-01-01T12:00:00Z,b,B,$3\n"
    assert merge(HEADER + rows) == {"a": 1.0, "b": 1.0}


def test_of_several_rows_of_a_product_the_newest_counts_in_any_order(merge):
    rows = "upsert,2026-01-01T13:00:00Z,a,A,$3\nupsert,2026-01-01T12:00:00Z,a,A,$2\n"
    assert merge(HEADER + rows, ("us:a", LATER)) == {"a": 3.0, "b": 1.0}


def test_a_row_without_a_time_counts_beside_a_late_one(merge):
    rows = "upsert,,a,A,$3\nupsert,2026-01-01T12:00:00Z,a,A,$2\n"
    assert merge(HEADER + rows, ("us:a", LATER)) == {"a": 3.0, "b": 1.0}


def test_a_source_with_fewer_attributes_than_the_catalog_leaves_the_others_empty(merge, tmp_path):
    before = pl.DataFrame({"price": [1.0, 1.0], "stock": [5.0, 6.0]})
    assert merge(HEADER + "upsert,,a,A,$2\n", ("us:a", None), before=before) == {"a": 2.0, "b": 1.0}
    assert pl.read_parquet(tmp_path / "attributes.parquet").sort("product_id")["stock"].to_list() == [None, 6.0]


def test_a_judgement_of_a_source_cannot_be_deleted_by_its_shape(convert):
    with pytest.raises(
        WarehouseError, match="line 3 has the op 'delete', and judgements of a source can only be upserted"
    ):
        convert("op,q,sku,label\nupsert,lamp,a,E\ndelete,lamp,b,E\n", JUDGED)


@pytest.mark.parametrize(
    ("source", "text", "reason"),
    [
        (
            Source(kind="details", files=("d.csv",), columns={"product_id": "sku", "description": "text"}),
            "sku,text\n1,a\n",
            "has details of products",
        ),
        (
            Source(kind="queries", files=("q.csv",), columns={"query_id": "id", "query": "q"}),
            "id,q\n1,a\n",
            "has queries",
        ),
        (
            Source(kind="clicks", files=("c.csv",), columns={"query": "q", "product_id": "sku"}),
            "q,sku\na,1\n",
            "is a click log",
        ),
    ],
)
def test_a_file_that_is_read_with_others_is_for_a_build(convert, source, text, reason):
    with pytest.raises(WarehouseError, match=reason) as error:
        convert(text, source)
    assert "stockroom build" in error.value.hint


def test_a_change_in_json_may_leave_out_what_is_optional(convert):
    source = SHOP.model_copy(update={"columns": {**SHOP.columns, "brand": "maker.name"}})
    delta = convert('{"sku": "a", "name": "A"}\n', source, name="changes.jsonl")
    assert pl.read_parquet(delta.path).select("op", "product_id", "product_title", "product_brand").rows() == [
        ("upsert", "a", "A", None)
    ]
    assert pl.read_parquet(delta.attributes)["price"].to_list() == [None]
    deleted = pl.read_parquet(convert('{"op": "delete", "sku": "a"}\n', source, name="deletes.jsonl").path)
    assert deleted.select("op", "product_id").rows() == [("delete", "a")]
    with pytest.raises(WarehouseError, match="title = 'name': there is no such column"):
        convert('{"sku": "a"}\n', source, name="other.jsonl")


def test_a_delta_has_the_encoding_of_its_source(tmp_path):
    source = SHOP.model_copy(update={"encoding": "cp1252"})
    (tmp_path / "changes.csv").write_bytes("sku,name,price\na,Fahrräder grün,$2\n".encode("cp1252"))
    delta = converted_delta(tmp_path / "changes.csv", (JUDGED, source), tmp_path / "out")
    assert pl.read_parquet(delta.path)["product_title"].to_list() == ["Fahrräder grün"]


def test_a_delta_of_utf_8_for_a_source_of_another_encoding_is_refused(tmp_path):
    source = SHOP.model_copy(update={"encoding": "cp1252"})
    (tmp_path / "changes.csv").write_text("sku,name,price\na,Fahrräder grün,$2\n")
    with pytest.raises(WarehouseError, match="is UTF-8, and its source declares cp1252"):
        converted_delta(tmp_path / "changes.csv", (JUDGED, source), tmp_path / "out")


def test_a_delta_of_ascii_needs_no_other_encoding(tmp_path):
    source = SHOP.model_copy(update={"encoding": "cp1252"})
    (tmp_path / "changes.csv").write_text("sku,name,price\na,Lamp,$2\n")
    assert converted_delta(tmp_path / "changes.csv", (source,), tmp_path / "out") is not None


def test_a_file_that_lacks_columns_is_told_those_of_the_source_that_it_is_nearest_to(convert):
    clicks = Source(kind="clicks", files=("log.jsonl",), columns={"query": "q", "product_id": "p"})
    with pytest.raises(WarehouseError, match=r"of the products in p\.csv: title = 'name'"):
        convert("sku,price\na,$2\n", clicks, SHOP)


def test_the_attributes_of_a_refused_row_do_not_count_beside_a_row_that_does(merge):
    rows = HEADER + "upsert,,a,A,$2\nupsert,,a,,$9\n"
    assert merge(rows, ("us:a", None), refused=(1,)) == {"a": 2.0, "b": 1.0}


def test_a_delta_with_the_names_of_the_raw_table_has_the_attributes_of_its_source(tmp_path):
    columns = {"product_id": "product_id", "title": "product_title", "locale": "product_locale"}
    source = SHOP.model_copy(update={"columns": columns})
    (tmp_path / "d.jsonl").write_text(
        '{"op": "upsert", "product_id": "a", "product_locale": "us", "product_title": "A", "price": 7.5}\n'
    )
    delta = converted_delta(tmp_path / "d.jsonl", (source,), tmp_path / "out")
    assert pl.read_parquet(delta.attributes)["price"].to_list() == [7.5]


@pytest.mark.parametrize(("signs", "price"), [((), 12.345), ((("p.csv price", ","),), 12345.0)])
def test_numbers_have_the_decimal_sign_that_the_files_of_the_source_have(tmp_path, signs, price):
    path = tmp_path / "changes.csv"
    path.write_text(HEADER + "upsert,,a,A,12.345\n")
    delta = converted_delta(path, (SHOP,), tmp_path / "out", signs)
    assert pl.read_parquet(delta.attributes)["price"].to_list() == [price]
