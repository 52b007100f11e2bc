import json
import tomllib

import polars as pl
import pytest

from warehouse.declaration.source import Source
from warehouse.errors import WarehouseError
from warehouse.sources.attribute_types import attribute_name
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


def test_what_differs_between_the_variants_of_a_product_is_a_list(tmp_path):
    rows = "".join(f"{n // 3},N,{'SML'[n % 3]},{'ab'[n // 3 % 2]}\n" for n in range(30))
    (proposal,) = proposed(tmp_path, p__csv=f"parent_id,name,size,shelf\n{rows}")
    assert {each.name: each.type for each in proposal.source.attributes} == {"size": "list", "shelf": "category"}
    assert "variants of one product differ" in proposal.reasons["size"]


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


def rows(header, line, number=30):
    return f"{header}\n" + "".join(line(each) + "\n" for each in range(number))


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("weight", ["1.5 kg", "1 kg", "500 g", "2"], {"type": "number", "unit": "kg"}),
        ("Gewicht", ["1,5 kg", "2,25 kg"], {"type": "number", "unit": "kg", "decimal": ","}),
        ("weight", ["1.5", "2"], {"type": "number"}),
        ("Item Weight", ["1.5 pounds", "12 Ounces", "2 pounds"], {"type": "number", "unit": "lb"}),
        ("discount", ["10 %", "5%"], {"type": "number", "unit": "%"}),
        ("Frequency", ["50 MHZ", "60 MHZ"], {"type": "category"}),
        ("fee", ["12.99 USD", "3 USD"], {"type": "money"}),
        ("Preis", ["12,99 €", "3,50 €", "k.A."], {"type": "money", "decimal": ","}),
        ("position", ["0", "1"], {"type": "number"}),
        ("is_new", ["0", "1"], {"type": "boolean"}),
        ("In stock?", ["0", "1"], {"type": "boolean"}),
        ("brandId", ["17", "18"], {"type": "category"}),
        ("EAN13", ["4006381333931", "4006381333931", "4006381333948"], {"type": "category"}),
        ("google product category", ["212", "213"], {"type": "category"}),
        ("created_at", ["1704067200", "1704153600"], {"type": "date"}),
        ("updated", ["4/5/24, 7:16 AM", "6/7/24, 8:16 AM"], {"type": "category"}),
        ("updated", ["4/15/24, 7:16 AM", "6/7/24, 8:16 PM"], {"type": "date", "date_order": "mdy"}),
        ("added", ["15.04.2024", "07.06.2024"], {"type": "date", "date_order": "dmy"}),
        ("base_image", ["/m/b/mb01.jpg", "/m/b/mb02.jpg?v=2"], {"type": "url", "filter": False}),
        ("images", ["https://a.b/1.jpg, https://a.b/2.jpg", "https://a.b/3.jpg"], {"type": "list", "filter": False}),
        ("urls", ["https://a.b/1.jpg,https://a.b/2.jpg"], {"type": "list", "filter": False}),
        ("variants", ["S,M,L", "M,L", "S,L"], {"type": "list"}),
        ("Active (0/1)", ["0", "1"], {"type": "boolean"}),
        ("tags", ["new", "new", "new", "cozy, warm"], {"type": "list"}),
        ("path", ["Furniture / Beds", "Furniture / Beds / Wood"], {"type": "category_path"}),
        ("short_description", ["<p>One, two</p>", "<p>Three, four</p>"], {"type": "text"}),
        ("note", ["a long sentence about many things, and then some more about it"], {"type": "text"}),
    ],
)
def test_a_column_is_read_as_what_it_holds(tmp_path, name, values, expected):
    values = [f'"{value}"' for value in values]
    (proposal,) = proposed(
        tmp_path, p__csv=rows(f'id,title,"{name}"', lambda number: f"{number},t,{values[number % len(values)]}")
    )
    (attribute,) = proposal.source.attributes
    assert attribute.model_dump(exclude_defaults=True, exclude={"name", "column"}) == {
        key: value for key, value in expected.items() if (key, value) != ("type", "text")
    }


def test_the_id_is_filled_in_every_row(tmp_path):
    (proposal,) = proposed(
        tmp_path, p__csv=rows("id,item_group_id,title", lambda number: f"{number},{number if number % 3 else ''},t")
    )
    assert proposal.source.columns["product_id"] == "id"


def test_the_id_is_the_one_that_clicks_name(tmp_path):
    catalog = rows("handle,Variant SKU,title", lambda number: f"lamp-{number},S{number},t")
    clicks = rows("query,sku,clicks", lambda number: f"q,S{number},1")
    products, _ = proposed(tmp_path, p__csv=catalog, c__csv=clicks)
    assert products.source.columns["product_id"] == "Variant SKU"


def test_a_column_that_happens_to_be_unique_is_no_id(tmp_path):
    with pytest.raises(WarehouseError, match="has no column that is an id"):
        proposed(tmp_path, p__csv=rows("title,price,quantity", lambda number: f"Lamp,{number}.5,{number}"))
    (proposal,) = proposed(
        tmp_path, p__csv=rows("title,price,Item Number", lambda number: f"Lamp,{number}.5,A{number}")
    )
    assert proposal.source.columns["product_id"] == "Item Number"


def test_a_test_collection_is_documents_judgements_and_queries(tmp_path):
    files = {
        "corpus__csv": "doc_id,title,text\nD1,Lamp,long\n",
        "qrels__csv": "qid,iter,docid,rel\n7,0,D1,1\n8,0,D1,0\n",
        "queries__csv": "qid,text\n7,lamp\n8,hat\n",
    }
    products, judgements, queries = proposed(tmp_path, **files)
    assert products.source.columns == {"product_id": "doc_id", "title": "title", "description": "text"}
    assert judgements.source.columns == {"product_id": "docid", "label": "rel", "query_id": "qid"}
    assert queries.source.columns == {"query": "text", "query_id": "qid"}


def test_keywords_and_a_rating_do_not_make_judgements_of_products(tmp_path):
    text = rows("id,title,keywords,rating,type", lambda number: f"{number},t,lamp,4.{number % 5},x")
    (proposal,) = proposed(tmp_path, p__csv=text)
    assert proposal.source.kind == "products"


def test_a_namespace_before_a_name_is_left_out(tmp_path):
    (proposal,) = proposed(tmp_path, p__tsv="g:id\tg:title\tg:price\n1\ta\t12.99 USD\n")
    assert proposal.source.columns == {"product_id": "g:id", "title": "g:title"}
    assert types(proposal) == {"g_price": "money"}


def test_the_name_of_an_object_is_its_meaning_and_an_object_that_is_null_at_first_is_not(tmp_path):
    lines = [{"id": 1, "brand": None, "name": "a"}, {"id": 2, "brand": {"name": "Acme"}, "name": "b"}]
    (proposal,) = proposed(tmp_path, p__jsonl="".join(json.dumps(line) + "\n" for line in lines))
    assert proposal.source.columns == {"product_id": "id", "title": "name", "brand": "brand.name"}


def test_of_a_title_in_several_languages_one_is_taken_with_its_locale(tmp_path):
    (proposal,) = proposed(tmp_path, p__jsonl='{"sku": "1", "title": {"de": "Lampe", "en": "Lamp"}}\n')
    assert proposal.source.columns["title"] == "title.de"
    assert proposal.source.columns["locale"].constant == "de"


def test_the_parts_of_a_catalog_are_one_source(tmp_path):
    line = '{"id": "%d", "name": "a", "price": %s}\n'
    parts = {"a__jsonl": line % (1, "null"), "b__jsonl": line % (2, '{"amount": 3}')}
    (proposal,) = proposed(tmp_path, **parts)
    assert proposal.source.files == ("a.jsonl", "b.jsonl")
    assert types(proposal) == {"price_amount": "money"}


def test_of_two_header_lines_the_lower_one_names_the_columns(tmp_path):
    text = "Template,2024,\nSeller SKU,Product Name,Price\nitem_sku,item_name,price\n" + "A1,Lamp,3\n" * 2
    (proposal,) = proposed(tmp_path, p__csv=text)
    assert (proposal.source.header_row, proposal.source.columns["title"]) == (3, "item_name")


def test_a_column_without_a_name_and_one_that_is_there_twice_are_left_out(tmp_path):
    (proposal,) = proposed(tmp_path, p__csv=",id,title,bullet,bullet\n0,1,a,b,c\n")
    assert proposal.source.attributes == ()
    assert proposal.left_out == {"": "it says nothing of a product", "bullet": "the file has two columns of this name"}


def test_two_columns_of_the_title_are_refused_with_the_remedy(tmp_path):
    with pytest.raises(WarehouseError, match=r"p\.csv has two columns of the name title\s+rename one"):
        proposed(tmp_path, p__csv="id,title,title\n1,a,b\n")


def test_several_raters_are_combined(tmp_path):
    judged = rows("query,product_id,grade,rater", lambda number: f"q,{number % 3},{number % 4},r{number}")
    _, judgements = proposed(tmp_path, j__csv=judged, p__csv="id,title\n1,a\n")
    assert judgements.source.labels.combine == "mean"


def test_a_mean_of_grades_is_exact_near_the_top_and_a_substitute_from_the_middle_on(tmp_path):
    grades = ["1", "1.33", "1.67", "2", "2.33", "2.67", "3"]
    judged = rows("search_term,product_uid,relevance", lambda number: f"q{number},1,{grades[number % 7]}")
    _, judgements = proposed(tmp_path, j__csv=judged, p__csv="product_uid,title\n1,a\n")
    assert judgements.source.labels.thresholds == {"E": 2.67, "S": 2.0, "C": 1.33}


def test_judgements_with_titles_are_products_too_and_a_file_without_titles_has_their_details(tmp_path):
    judged = rows(
        "id,product_uid,product_title,search_term,relevance",
        lambda number: f"{number},{number % 9},t,q,{number % 3 + 1}",
    )
    details = rows("product_uid,product_description", lambda number: f"{number},text", 9)
    products, described, judgements = proposed(tmp_path, train__csv=judged, d__csv=details)
    assert [each.source.kind for each in (products, described, judgements)] == ["products", "details", "judgements"]
    assert products.source.columns == {"product_id": "product_uid", "title": "product_title"}
    assert products.source.fold_variants
    assert described.source.columns == {"product_id": "product_uid", "description": "product_description"}
    assert judgements.source.columns["query"] == "search_term"


def test_judgements_with_query_ids_alone_take_a_file_of_queries(tmp_path):
    files = {
        "label__csv": "id\tquery_id\tproduct_id\tlabel\n0\t7\t1\tExact\n",
        "product__csv": "product_id\tproduct_name\n1\tLamp\n",
        "query__csv": "query_id\tquery\tquery_class\n7\tlamp\tLamps\n",
    }
    _, judgements, queries = proposed(tmp_path, **files)
    assert queries.source.columns == {"query": "query", "query_id": "query_id"}
    assert judgements.source.columns == {"product_id": "product_id", "label": "label", "query_id": "query_id"}
    del files["query__csv"]
    with pytest.raises(WarehouseError, match="has query ids and no texts of queries"):
        proposed(tmp_path, **files)


def test_a_file_of_names_and_values_is_refused(tmp_path):
    with pytest.raises(WarehouseError, match="has one row per attribute"):
        proposed(tmp_path, a__csv="product_uid,name,value\n1,Bullet01,x\n1,Color,red\n")


def test_a_list_of_rows_in_an_object_is_refused_with_the_command_that_takes_it_out(tmp_path):
    wrapped = json.dumps({"products": [{"id": 1, "title": "a"}], "total": 1}, indent=1)
    with pytest.raises(WarehouseError, match="has its rows in the list products") as error:
        proposed(tmp_path, p__json=wrapped)
    assert "jq -c '.products[]'" in error.value.hint


def test_text_in_no_known_encoding_is_refused_with_its_line(tmp_path):
    with pytest.raises(WarehouseError, match=r"line 1 is not UTF-8") as error:
        proposed(tmp_path, p__csv="商品番号,商品名\n1,ランプ\n".encode("shift_jis"))
    assert "--encoding" in error.value.hint


@pytest.mark.parametrize(
    ("column", "name"),
    [("Größe", "groesse"), ("Rahmenhöhe (cm)", "rahmenhoehe_cm"), ("Año", "ano"), ("価格", "column")],
)
def test_the_name_of_an_attribute_is_spelled_in_ascii(column, name):
    assert attribute_name(column, set()) == name
