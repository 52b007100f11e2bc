import json
import tomllib

import polars as pl
import pytest

from warehouse.declaration.source import Source
from warehouse.errors import WarehouseError
from warehouse.sources.declaration_text import declaration_text
from warehouse.sources.proposal import propose


def proposed(folder, **files):
    paths = []
    for name, text in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        paths.append(path)
    return propose(paths, [path.name for path in paths])


def types(proposal):
    return {attribute.name: attribute.type for attribute in proposal.source.attributes}


def test_a_shop_export_is_products_with_typed_attributes(tmp_path):
    rows = "".join(
        f'{sku},Lamp {sku},<p>x</p>,Acme,"$1,{sku}00.00",Home > Lamps,yes,https://a.b/{sku}.jpg,0{sku},2024-01-0{sku}\n'
        for sku in range(1, 9)
    )
    header = "Handle,Title,Body (HTML),Vendor,Variant Price,Category,Published,Image,Shelf,Created\n"
    (proposal,) = proposed(tmp_path, shop__csv=header + rows)
    assert proposal.source.columns == {
        "product_id": "Handle",
        "title": "Title",
        "brand": "Vendor",
        "description": "Body (HTML)",
    }
    assert types(proposal) == {
        "variant_price": "money",
        "category": "category_path",
        "published": "boolean",
        "image": "url",
        "shelf": "text",
        "created": "date",
    }
    assert not proposal.source.fold_variants


def test_a_repeated_id_means_variants(tmp_path):
    (proposal,) = proposed(tmp_path, p__csv="parent_id,name,color\n" + "".join(f"{n // 3},N,{n}\n" for n in range(30)))
    assert proposal.source.fold_variants
    assert "10 different" in proposal.reasons["product_id"]


def test_one_id_in_two_locales_is_no_variant(tmp_path):
    (proposal,) = proposed(
        tmp_path, p__csv="id,name,lang\n" + "".join(f"{n // 2},N,{'en' if n % 2 else 'es'}\n" for n in range(30))
    )
    assert not proposal.source.fold_variants


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("ESCI", {}),
        ("3210", {"thresholds": {"E": 3, "S": 2, "C": 1}}),
        ("10", {"thresholds": {"E": 1}}),
        (["Exact", "Partial", "Irrelevant"], {"values": {"E": ("Exact",), "I": ("Irrelevant",), "S": ("Partial",)}}),
    ],
)
def test_labels_are_read_from_letters_grades_and_words(tmp_path, labels, expected):
    judged = "query\tproduct_id\tlabel\n" + "".join(f"q\t{number}\t{label}\n" for number, label in enumerate(labels))
    products, judgements = proposed(tmp_path, j__tsv=judged, p__csv="id,name\n1,a\n")
    assert (products.source.kind, judgements.source.kind) == ("products", "judgements")
    assert judgements.source.labels.model_dump(exclude_defaults=True, exclude_none=True) == expected


def test_a_log_of_events_is_clicks_and_its_words_are_counted_as_what_they_mean(tmp_path):
    log = "ts,search_term,sku,event_type\n" + "".join(
        f"2024-01-01,q,1,{word}\n" for word in ("view", "click", "add_to_cart", "purchase")
    )
    _, clicks = proposed(tmp_path, c__csv=log, p__csv="sku,name\n1,a\n")
    assert clicks.source.clicks.events == {
        "impressions": ("view",),
        "clicks": ("click",),
        "carts": ("add_to_cart",),
        "orders": ("purchase",),
    }


def test_nested_json_is_declared_by_paths(tmp_path):
    row = {"id": 1, "name": "a", "attributes": {"brand": "B", "size": "M"}, "price": {"amount": "12.99"}, "tags": ["x"]}
    (proposal,) = proposed(tmp_path, p__jsonl=json.dumps(row) + "\n")
    assert proposal.source.columns["brand"] == "attributes.brand"
    assert types(proposal)["price_amount"] == "money"
    assert types(proposal)["tags"] == "list"


def test_text_that_is_not_utf_8_is_declared_as_windows_1252(tmp_path):
    (proposal,) = proposed(tmp_path, p__csv="id,name\n1,Mütze\n".encode("cp1252"))
    assert proposal.source.encoding == "cp1252"
    assert proposal.head["name"].to_list() == ["Mütze"]


def test_a_header_may_be_a_later_line(tmp_path):
    (proposal,) = proposed(tmp_path, p__csv="Export of,2024-01-01\nid,name\n1,a\n")
    assert (proposal.source.header_row, proposal.source.columns["title"]) == (2, "name")


def test_a_corrupt_file_is_refused_by_name(tmp_path):
    with pytest.raises(WarehouseError, match=r"p\.parquet cannot be read"):
        proposed(tmp_path, p__parquet=b"PAR1....")


def test_what_is_written_is_what_was_proposed(tmp_path):
    log = "query,product_id,clicked\nq,1,1\n"
    proposals = proposed(tmp_path, p__csv='id,"a ""name""",price\n1,x,$3\n'.replace('a ""name""', "name"), c__csv=log)
    written = tomllib.loads(declaration_text(proposals))["source"]
    assert [Source.model_validate(each) for each in written] == [each.source for each in proposals]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "holds neither products nor judgements nor clicks: it has a, b"),
        ("id,name\n", "has no row below its header"),
        ("query,product_id,label\nq,1,E\n", "no file of products"),
        ("query,product_id,label\nq,1,meh\n", "no label means Exact: meh"),
    ],
)
def test_what_cannot_be_proposed_says_why(tmp_path, text, message):
    with pytest.raises(WarehouseError, match=message) as error:
        proposed(tmp_path, f__csv=text)
    assert error.value.hint


def test_a_parquet_file_is_proposed_from_its_first_rows(tmp_path):
    path = tmp_path / "p.parquet"
    pl.DataFrame({"item_id": [1, 2], "item_name": ["a", "b"], "stars": [4.5, 3.0]}).write_parquet(path)
    (proposal,) = propose([path], ["p.parquet"])
    assert proposal.source.columns == {"product_id": "item_id", "title": "item_name"}
    assert types(proposal) == {"stars": "number"}
