import gzip
import json

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from pydantic import TypeAdapter

from warehouse.contracts.esci_files import EXAMPLES_FILE, PRODUCTS_FILE
from warehouse.declaration.attributes import ATTRIBUTES_FILE
from warehouse.declaration.source import Source, Sources
from warehouse.errors import WarehouseError
from warehouse.sources.prepared import decimal_signs, prepare, refused_rows

COLUMNS = {"product_id": "id", "title": "name", "description": "text", "brand": "maker", "color": "hue"}


def products(*files, **more):
    return Source(kind="products", files=files, columns=more.pop("columns", COLUMNS), **more)


def prepared(folder, *sources):
    prepare(sources, folder, folder / "out")
    return pl.read_parquet(folder / "out" / PRODUCTS_FILE)


def write(path, rows, delimiter=","):
    """Write rows of text as the ending of the path says."""
    names = list(rows[0])
    quoted = [delimiter.join('"' + (row[name] or "").replace('"', '""') + '"' for name in names) for row in rows]
    text = "\n".join([delimiter.join(names), *quoted, ""])
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if path.suffix == ".parquet":
        pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String)).write_parquet(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress((lines if ".jsonl" in path.name else text).encode()))
    else:
        path.write_bytes((lines if path.suffix == ".jsonl" else text).encode())


NAMES = ("p.parquet", "p.csv", "p.tsv", "p.jsonl", "p.json", "p.csv.gz", "p.jsonl.gz")
# Text of any script; a csv file knows neither a lone carriage return nor the zero character.
VALUES = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\r\0\ufeff"), min_size=1, max_size=12)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.fixed_dictionaries({"id": VALUES, "name": VALUES, "text": VALUES, "maker": VALUES, "hue": VALUES}),
        min_size=1,
        max_size=5,
    )
)
def test_the_same_values_come_from_every_format(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("formats")
    frames = []
    for name in NAMES:
        write(folder / name, rows, "\t" if ".tsv" in name else ",")
        frames.append(prepared(folder, products(name, delimiter="\t" if ".tsv" in name else ",")))
    for frame in frames[1:]:
        assert_frame_equal(frame, frames[0])


def test_an_id_stays_as_it_is_written_and_a_decimal_one_is_refused_with_its_place(tmp_path):
    rows = [
        {"id": "00123", "name": "a"},
        {"id": "123", "name": "b"},
        {"id": "12345.0", "name": "c"},
        {"id": "1e5", "name": "d"},
    ]
    write(tmp_path / "p.csv", rows)
    frame = prepared(tmp_path, products("p.csv", columns={"product_id": "id", "title": "name"}))
    assert frame["product_id"].to_list() == ["00123", "123"]
    refused = refused_rows(tmp_path / "out", "raw.products")
    assert refused.select("key", "rule").rows() == [
        ("p.csv line 4", "product_id_is_decimal"),
        ("p.csv line 5", "product_id_is_decimal"),
    ]
    assert json.loads(refused["row"][0]) == {
        "file": str(tmp_path / "p.csv"),
        "place": "p.csv line 4",
        "column": "product_id",
        "value": "12345.0",
    }


def test_columns_are_joined_constant_and_nested(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": 7, "n": {"short": "Lamp", "long": "desk lamp"}, "facts": ["LED", null, "USB"]}\n')
    columns = {
        "product_id": "id",
        "title": ["n.short", "n.long"],
        "bullet_points": "facts",
        "locale": {"constant": "es"},
    }
    (row,) = prepared(tmp_path, products("p.jsonl", columns=columns)).to_dicts()
    assert row["product_id"] == "7"
    assert row["product_title"] == "Lamp desk lamp"
    assert row["product_bullet_point"] == "LED\nUSB"
    assert row["product_locale"] == "es"


def test_variants_fold_to_the_first_value_that_is_not_blank(tmp_path):
    rows = [
        {"id": "1", "name": None, "maker": "A", "tags": "x, y"},
        {"id": "2", "name": "other", "maker": None, "tags": None},
        {"id": "1", "name": "shirt", "maker": "B", "tags": "y, z"},
    ]
    write(tmp_path / "p.csv", rows)
    columns = {"product_id": "id", "title": "name", "brand": "maker"}
    attributes = [{"name": "tags", "type": "list"}]
    frame = prepared(tmp_path, products("p.csv", columns=columns, fold_variants=True, attributes=attributes))
    assert frame.select("product_id", "product_title", "product_brand").rows() == [
        ("1", "shirt", "A"),
        ("2", "other", None),
    ]
    assert pl.read_parquet(tmp_path / "out" / ATTRIBUTES_FILE).rows() == [
        ("us", "1", ["x", "y", "z"]),
        ("us", "2", None),
    ]


def test_an_unreadable_attribute_is_null_and_refused_and_its_product_stays(tmp_path):
    write(
        tmp_path / "p.csv", [{"id": "1", "name": "a", "cost": "$1,299.00"}, {"id": "2", "name": "b", "cost": "call us"}]
    )
    attributes = [{"name": "price", "column": "cost", "type": "money"}]
    columns = {"product_id": "id", "title": "name"}
    assert prepared(tmp_path, products("p.csv", columns=columns, attributes=attributes)).height == 2
    assert pl.read_parquet(tmp_path / "out" / ATTRIBUTES_FILE)["price"].to_list() == [1299.0, None]
    assert refused_rows(tmp_path / "out", "raw.products").select("key", "rule").rows() == [
        ("p.csv line 3", "not_money")
    ]


def test_every_missing_column_is_named_with_the_nearest_that_are_there(tmp_path):
    write(tmp_path / "p.csv", [{"id": "1", "nam": "a", "makr": "b"}])
    columns = {"product_id": "id", "title": "name", "brand": "maker"}
    with pytest.raises(WarehouseError) as error:
        prepared(tmp_path, products("p.csv", columns=columns))
    assert "title = 'name': there is no such column; near it: 'nam'" in error.value.message
    assert "brand = 'maker': there is no such column; near it: 'makr'" in error.value.message
    assert not (tmp_path / "out" / PRODUCTS_FILE).exists()


def test_a_second_header_line_is_recognized(tmp_path):
    (tmp_path / "p.csv").write_text("export of,today\nid,name\n1,a\n")
    columns = {"product_id": "id", "title": "name"}
    with pytest.raises(WarehouseError) as error:
        prepared(tmp_path, products("p.csv", columns=columns))
    assert error.value.hint == "line 2 has them: set header_row = 2 in stockroom.toml"
    assert prepared(tmp_path, products("p.csv", columns=columns, header_row=2)).height == 1


def test_lines_of_another_number_of_fields_are_all_named(tmp_path):
    (tmp_path / "p.csv").write_text('id,name\n1,"a\nb"\n2,c,d\n3,e\n4\n')
    with pytest.raises(WarehouseError, match=r"lines 4, 6 cannot be read as 2 fields"):
        prepared(tmp_path, products("p.csv", columns={"product_id": "id", "title": "name"}))


def test_every_missing_file_is_named(tmp_path):
    with pytest.raises(WarehouseError, match=r"a\.csv matches no file; .*b\*\.csv matches no file"):
        prepared(tmp_path, products("a.csv", "b*.csv"))


def test_unchanged_files_are_not_read_again_and_changed_ones_are(tmp_path):
    columns = {"product_id": "id", "title": "name"}
    write(tmp_path / "p.csv", [{"id": "1", "name": "a"}])
    source = products("p.csv", columns=columns)
    prepared(tmp_path, source)
    before = (tmp_path / "out" / PRODUCTS_FILE).stat().st_mtime_ns
    prepared(tmp_path, source)
    assert (tmp_path / "out" / PRODUCTS_FILE).stat().st_mtime_ns == before
    write(tmp_path / "p.csv", [{"id": "1", "name": "b"}])
    assert prepared(tmp_path, source)["product_title"].to_list() == ["b"]


def test_judgements_and_clicks_become_one_file_and_the_first_source_of_a_pair_counts(tmp_path):
    write(tmp_path / "p.csv", [{"id": "1", "name": "a"}, {"id": "2", "name": "b"}])
    write(tmp_path / "j.csv", [{"q": "lamp", "p": "1", "grade": "good"}, {"q": "lamp", "p": "2", "grade": "bad"}])
    write(
        tmp_path / "c.csv",
        [{"q": "Lamp", "p": "2", "clicked": "1", "bought": "1"}, {"q": "hat", "p": "1", "clicked": "1", "bought": "1"}],
    )
    sources = (
        products("p.csv", columns={"product_id": "id", "title": "name"}),
        Source(
            kind="judgements",
            files=("j.csv",),
            columns={"query": "q", "product_id": "p", "label": "grade"},
            labels={"values": {"E": ["good"], "I": ["bad"]}},
        ),
        Source(
            kind="clicks",
            files=("c.csv",),
            columns={"query": "q", "product_id": "p", "clicks": "clicked", "orders": "bought"},
        ),
    )
    prepared(tmp_path, *sources)
    judged = pl.read_parquet(tmp_path / "out" / EXAMPLES_FILE)
    assert judged.select("query", "product_id", "esci_label").rows() == [
        ("lamp", "1", "E"),
        ("lamp", "2", "I"),
        ("hat", "1", "E"),
    ]


def nested(folder, *rows, **columns):
    """Return the ids and prices of products whose price is the nested path price.amount, and what was refused."""
    (folder / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    attributes = [{"name": "price", "column": "price.amount", "type": "money"}]
    prepared(
        folder, products("p.jsonl", columns={"product_id": "id", "title": "name"} | columns, attributes=attributes)
    )
    prices = dict(pl.read_parquet(folder / "out" / ATTRIBUTES_FILE).select("product_id", "price").iter_rows())
    refused = refused_rows(folder / "out", "raw.products")
    return prices, [
        (key, rule, json.loads(row)["column"], json.loads(row)["value"]) for key, rule, row in refused.rows()
    ]


def test_a_path_reads_null_where_an_object_or_a_name_is_missing(tmp_path):
    rows = [
        {"id": "1", "name": "a", "price": None},
        {"id": "2", "name": "b", "price": {"amount": 3, "currency": "EUR"}},
        {"id": "3", "name": "c"},
        {"id": "4", "name": "d", "price": {}},
        {"id": "5", "name": "e", "price": {"amount": None}},
    ]
    assert nested(tmp_path, *rows) == ({"1": None, "2": 3.0, "3": None, "4": None, "5": None}, [])


def test_a_path_through_a_number_and_an_object_for_a_text_are_refused_with_their_place(tmp_path):
    rows = [
        {"id": "1", "name": "a", "price": 12.5},
        {"id": "2", "name": "b", "price": {"amount": 3}, "maker": {"name": "Acme"}},
    ]
    prices, refused = nested(tmp_path, *rows, brand="maker")
    assert prices == {"1": None, "2": 3.0}
    assert refused == [
        ("p.jsonl line 1", "not_an_object", "price", "12.5"),
        ("p.jsonl line 2", "is_an_object", "brand", '{"name":"Acme"}'),
    ]
    assert pl.read_parquet(tmp_path / "out" / PRODUCTS_FILE)["product_brand"].to_list() == [None, None]


def test_a_declared_column_that_stands_twice_is_to_be_renamed(tmp_path):
    (tmp_path / "p.csv").write_text("id,name,name\n1,a,b\n")
    with pytest.raises(WarehouseError, match=r"title = 'name': the file has two columns of this name\s+rename one"):
        prepared(tmp_path, products("p.csv", columns={"product_id": "id", "title": "name"}))


def test_a_list_and_a_boolean_are_no_ids(tmp_path):
    rows = [{"id": value, "name": "a", "price": {"amount": 3}} for value in ("1", True, ["2", "3"], 4)]
    prices, refused = nested(tmp_path, *rows)
    assert {key: price for key, price in prices.items() if key} == {"1": 3.0, "4": 3.0}
    assert refused == [
        ("p.jsonl line 2", "is_no_id", "product_id", "true"),
        ("p.jsonl line 3", "is_no_id", "product_id", '["2","3"]'),
    ]


@pytest.mark.parametrize(("ids", "kind"), [([True, False], "BOOLEAN"), ([["1"], ["2"]], r"VARCHAR\[\]")])
def test_a_column_of_lists_or_booleans_is_no_column_of_ids(tmp_path, ids, kind):
    pl.DataFrame({"id": ids, "name": ["a", "b"]}).write_parquet(tmp_path / "p.parquet")
    source = products("p.parquet", columns={"product_id": "id", "title": "name"})
    with pytest.raises(WarehouseError, match=f"the column id is {kind}, and product_id is text or a whole number"):
        prepared(tmp_path, source)


@pytest.mark.parametrize("name", ["p.jsonl", "p.parquet"])
def test_a_path_through_a_list_of_objects_gives_the_list_of_their_values(tmp_path, name):
    rows = [
        {
            "id": "1",
            "name": "a",
            "images": [{"src": "x"}, {"src": None}, {"src": "y"}],
            "facts": [{"say": "LED"}, {"say": "USB"}],
        },
        {"id": "2", "name": "b", "images": None, "facts": None},
    ]
    if name == "p.parquet":
        pl.DataFrame(rows).write_parquet(tmp_path / name)
    else:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"product_id": "id", "title": "name", "bullet_points": "facts.say"}
    attributes = [{"name": "images", "column": "images.src", "type": "list"}]
    frame = prepared(tmp_path, products(name, columns=columns, attributes=attributes))
    assert frame["product_bullet_point"].to_list() == ["LED\nUSB", None]
    assert pl.read_parquet(tmp_path / "out" / ATTRIBUTES_FILE)["images"].to_list() == [["x", "y"], None]


def test_details_fill_what_their_products_lack(tmp_path):
    write(tmp_path / "p.csv", [{"id": "1", "name": "a", "text": "own"}, {"id": "2", "name": "b", "text": None}])
    write(
        tmp_path / "d.csv",
        [
            {"sku": "2", "long": None, "cost": "$3"},
            {"sku": "2", "long": "filled", "cost": "$4"},
            {"sku": "1", "long": "other", "cost": None},
            {"sku": "9", "long": "of no product", "cost": None},
        ],
    )
    own = products("p.csv", columns={"product_id": "id", "title": "name", "description": "text"})
    details = Source(
        kind="details",
        files=("d.csv",),
        columns={"product_id": "sku", "description": "long"},
        attributes=[{"name": "price", "column": "cost", "type": "money"}],
    )
    notes = prepare([details, own], tmp_path, tmp_path / "out")
    frame = pl.read_parquet(tmp_path / "out" / PRODUCTS_FILE)
    assert frame.select("product_id", "product_title", "product_description").rows() == [
        ("1", "a", "own"),
        ("2", "b", "filled"),
    ]
    assert pl.read_parquet(tmp_path / "out" / ATTRIBUTES_FILE).rows() == [("us", "1", None), ("us", "2", 3.0)]
    assert "details of 3 products read, 2 of them in the catalog" in notes


def test_judgements_take_the_query_of_their_query_id(tmp_path):
    write(tmp_path / "p.tsv", [{"id": "1", "name": "a"}, {"id": "2", "name": "b"}], "\t")
    write(tmp_path / "q.tsv", [{"query_id": "7", "query": "desk lamp"}, {"query_id": "7", "query": "again"}], "\t")
    labels = [
        {"query_id": "7", "product_id": "1", "label": "Exact"},
        {"query_id": "8", "product_id": "2", "label": "Exact"},
    ]
    write(tmp_path / "l.tsv", labels, "\t")
    sources = (
        products("p.tsv", columns={"product_id": "id", "title": "name"}),
        Source(
            kind="judgements",
            files=("l.tsv",),
            columns={"query_id": "query_id", "product_id": "product_id", "label": "label"},
        ),
        Source(kind="queries", files=("q.tsv",), columns={"query_id": "query_id", "query": "query"}),
    )
    prepared(tmp_path, *sources)
    judged = pl.read_parquet(tmp_path / "out" / EXAMPLES_FILE)
    assert judged.select("query", "query_id", "product_id").rows() == [("desk lamp", 7, "1")]
    refused = refused_rows(tmp_path / "out", "raw.judgements")
    assert refused.select("key", "rule").rows() == [("l.tsv line 3", "query_blank")]


@pytest.mark.parametrize(
    ("judgement", "query", "expected"),
    [
        ({"lang": "de"}, {"lang": "de"}, [("Lampe", "de")]),
        ({}, {"lang": "de"}, [("Lampe", "de")]),
        ({"lang": "de"}, {}, [("Lampe", "de")]),
        ({"lang": "es"}, {"lang": "de"}, []),
    ],
)
def test_a_query_is_of_the_locale_of_its_judgement(tmp_path, judgement, query, expected):
    write(tmp_path / "p.csv", [{"id": "1", "name": "a"}])
    write(tmp_path / "q.csv", [{"qid": "7", "text": "Lampe"} | query])
    write(tmp_path / "l.csv", [{"qid": "7", "id": "1", "label": "E"} | judgement])
    prepared(
        tmp_path,
        products("p.csv", columns={"product_id": "id", "title": "name"}),
        Source(
            kind="judgements",
            files=("l.csv",),
            columns={"query_id": "qid", "product_id": "id", "label": "label"}
            | ({"locale": "lang"} if judgement else {}),
        ),
        Source(
            kind="queries",
            files=("q.csv",),
            columns={"query_id": "qid", "query": "text"} | ({"locale": "lang"} if query else {}),
        ),
    )
    judged = pl.read_parquet(tmp_path / "out" / EXAMPLES_FILE)
    assert judged.select("query", "product_locale").rows() == expected


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"product_id": "p", "label": "l"}, "the columns lack query, or query_id"),
        ({"product_id": "p", "label": "l", "query_id": "q"}, "need a source of queries"),
    ],
)
def test_judgements_without_a_query_need_its_texts(columns, message):
    with pytest.raises(ValueError, match=message):
        TypeAdapter(Sources).validate_python(
            [products("p.csv"), {"kind": "judgements", "files": ["j.csv"], "columns": columns}]
        )


@pytest.mark.parametrize(
    ("quoting", "line", "title"),
    [
        ("doubled", '{},"15.6"" lamp, large",x', '15.6" lamp, large'),
        ("backslash", '{},"15.6\\" lamp, large",x', '15.6" lamp, large'),
        ("none", '{},"Deluxe" lamp,x', '"Deluxe" lamp'),
        ("none", '{},15.6" lamp,x', '15.6" lamp'),
    ],
)
def test_quotation_marks_are_read_as_the_file_writes_them(tmp_path, quoting, line, title):
    (tmp_path / "p.csv").write_text("id,name,maker\n" + "".join(line.format(number) + "\n" for number in range(3)))
    columns = {"product_id": "id", "title": "name", "brand": "maker"}
    for declared in (None, quoting):
        frame = prepared(tmp_path, products("p.csv", columns=columns, quoting=declared))
        assert frame.select("product_title", "product_brand").rows() == [(title, "x")] * 3


def test_a_tab_separated_file_whose_beginning_ends_in_a_quoted_field_is_read_as_quoted(tmp_path):
    lines = "".join(f'{number}\t"Lamp"\t"{"long " * 2000}"\n' for number in range(60))
    (tmp_path / "p.tsv").write_text(f"id\tname\ttext\n{lines}")
    columns = {"product_id": "id", "title": "name", "description": "text"}
    assert prepared(tmp_path, products("p.tsv", columns=columns))["product_title"].unique().to_list() == ["Lamp"]


def test_lines_that_end_with_a_carriage_return_alone_are_refused_with_the_command_that_converts_them(tmp_path):
    (tmp_path / "p.csv").write_bytes(b"id,name\r1,a\r")
    with pytest.raises(WarehouseError, match="carriage return") as error:
        prepared(tmp_path, products("p.csv", columns={"product_id": "id", "title": "name"}))
    assert error.value.hint.startswith("convert the file: tr")


def test_a_part_in_json_may_lack_a_column_that_another_part_has(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": "1", "name": "a"}\n')
    (tmp_path / "b.jsonl").write_text('{"id": "2", "name": "b", "maker": "Acme"}\n')
    columns = {"product_id": "id", "title": "name", "brand": "maker"}
    assert prepared(tmp_path, products("?.jsonl", columns=columns))["product_brand"].to_list() == [None, "Acme"]
    with pytest.raises(WarehouseError, match="brand = 'maker': there is no such column"):
        prepared(tmp_path, products("a.jsonl", columns=columns))


PRICED = {"attributes": [{"name": "price", "type": "number"}]}


def prices(folder):
    rows = pl.read_parquet(folder / "out" / ATTRIBUTES_FILE).select("product_id", "price").iter_rows()
    return dict(rows)


def test_the_attributes_that_deltas_changed_stay_until_products_or_attributes_of_the_files_change(tmp_path):
    rows = [{"id": "a", "name": "A", "price": "1"}, {"id": "b", "name": "B", "price": "2"}]
    write(tmp_path / "p.csv", rows)
    source = products("p.csv", columns={"product_id": "id", "title": "name"}, **PRICED)
    before = prepared(tmp_path, source)
    attributes = tmp_path / "out" / ATTRIBUTES_FILE
    pl.read_parquet(attributes).with_columns(price=pl.lit(9.0)).write_parquet(attributes)  # as a delta does
    write(tmp_path / "p.csv", [{**row, "other": "x"} for row in rows])
    assert prepared(tmp_path, source).equals(before)
    assert prices(tmp_path) == {"a": 9.0, "b": 9.0}
    known = (tmp_path / "out" / PRODUCTS_FILE).read_bytes()
    write(tmp_path / "p.csv", [rows[0], {**rows[1], "price": "3"}])
    assert prepared(tmp_path, source).equals(before)
    assert prices(tmp_path) == {"a": 1.0, "b": 3.0}
    assert (tmp_path / "out" / PRODUCTS_FILE).read_bytes() != known  # so that the products are ingested with them


def test_the_attributes_are_those_of_the_row_that_counts_for_its_product(tmp_path):
    write(tmp_path / "p.csv", [{"id": "a", "name": " ", "price": "1"}, {"id": "a", "name": "A", "price": "2"}])
    prepared(tmp_path, products("p.csv", columns={"product_id": "id", "title": "name"}, **PRICED))
    assert prices(tmp_path) == {"a": 2.0}


def test_only_a_locale_that_nobody_declares_has_a_default(tmp_path):
    write(tmp_path / "p.csv", [{"id": "a", "name": "A", "lang": "de"}, {"id": "b", "name": "B", "lang": " "}])
    columns = {"product_id": "id", "title": "name"}
    declared = prepared(tmp_path, products("p.csv", columns=columns | {"locale": "lang"}))
    assert declared["product_locale"].to_list() == ["de", None]
    assert prepared(tmp_path, products("p.csv", columns=columns))["product_locale"].to_list() == ["us", "us"]


def test_a_field_may_be_longer_than_a_megabyte(tmp_path):
    write(tmp_path / "p.csv", [{"id": "a", "name": "A" * 1_500_000}])
    frame = prepared(tmp_path, products("p.csv", columns={"product_id": "id", "title": "name"}))
    assert frame["product_title"].str.len_chars().to_list() == [1_500_000]


@pytest.mark.parametrize("name", ["p.json", "p.parquet"])
def test_a_number_that_a_program_wrote_has_a_decimal_point_in_every_column(tmp_path, name):
    rows = [{"id": "1", "name": "a", "size": 12.345}, {"id": "2", "name": "b", "size": 1.5}, {"id": "3", "name": "c"}]
    if name == "p.parquet":
        pl.DataFrame(rows).write_parquet(tmp_path / name)
    else:
        (tmp_path / name).write_text(json.dumps([*rows, {"id": "4", "name": "d", "size": "12,5"}]))
    sizes = [{"name": f"size_{kind}", "column": "size", "type": kind, "decimal": ","} for kind in ("number", "money")]
    prepared(tmp_path, products(name, columns={"product_id": "id", "title": "name"}, attributes=sizes))
    read = pl.read_parquet(tmp_path / "out" / ATTRIBUTES_FILE)
    assert read["size_number"].to_list()[:3] == read["size_money"].to_list()[:3] == [12.345, 1.5, None]
    assert read["size_number"].to_list()[3:] in ([], [12.5])
    assert refused_rows(tmp_path / "out", "raw.products").is_empty()


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (
            ["1.299", "2.500"],
            """size of p.csv: '1.299' is read as 1.299, and no value tells the decimal sign; if it is 1299,""",
        ),
        (
            ["1,299", "5"],
            """size of p.csv: '1,299' is read as 1299, and no value tells the decimal sign; if it is 1.299,""",
        ),
        (["1.299", "2.5"], None),
        (["5", "7"], None),
    ],
)
def test_values_that_do_not_tell_their_decimal_sign_are_told(tmp_path, values, note):
    write(tmp_path / "p.csv", [{"id": str(number), "name": "a", "size": each} for number, each in enumerate(values)])
    size = {"name": "size", "type": "number"}
    source = products("p.csv", columns={"product_id": "id", "title": "name"}, attributes=[size])
    notes = [each for each in prepare([source], tmp_path, tmp_path / "out") if "decimal" in each]
    assert [each.split(" declare")[0] for each in notes] == ([note] if note else [])


def test_a_parquet_file_may_have_columns_called_as_those_that_number_its_rows(tmp_path):
    own = {"id": ["1", "2"], "file_row_number": ["a", "b"], "row": [7, 8], "filename": ["x", "y"], "file": ["m", "n"]}
    pl.DataFrame(own).write_parquet(tmp_path / "p.parquet")
    rows = {"name": "row_", "column": "row", "type": "number"}
    columns = {"product_id": "id", "title": "file_row_number", "brand": "filename", "color": "file"}
    read = prepared(tmp_path, products("p.parquet", columns=columns, attributes=[rows]))
    assert read["product_title"].to_list() == ["a", "b"]
    assert read["product_brand"].to_list() == ["x", "y"]
    assert read["product_color"].to_list() == ["m", "n"]


def test_the_decimal_signs_that_were_found_are_kept_for_deltas(tmp_path):
    (tmp_path / "p.csv").write_text('id;name;price;size;depth\nA;a;"12,5";1.234;2.5\nB;b;1.299;3;1\n')
    kinds = {"price": "money", "size": "number", "depth": "number"}
    attributes = [{"name": name, "type": kind} for name, kind in kinds.items()]
    attributes[2]["decimal"] = "."
    assert decimal_signs(tmp_path / "out") == ()
    prepared(tmp_path, products("p.csv", columns={"product_id": "id", "title": "name"}, attributes=attributes))
    assert decimal_signs(tmp_path / "out") == (("p.csv price", ","), ("p.csv size", "."))
