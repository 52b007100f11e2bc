"""A shop's export goes from files to search by init, build and search; a smaller file of the same shape changes it."""

import json

import polars as pl
import pytest

from orchestration.config.settings import load_settings
from warehouse.lake.lake import Lake

HEADER = "Ref,Name,Maker,Price,Path,Stock\n"
ROWS = "".join(
    f"0{number:03},{color} {kind},Acme,${number}99.00,Home > {kind.title()},{number % 2}\n"
    for number, (color, kind) in enumerate(
        [(color, kind) for color in ("red", "blue", "green") for kind in ("lamp", "chair", "kettle", "tent")], start=1
    )
)
SETTINGS = '[warehouse]\nthreads = 1\n\n[encoder]\nprecision = "f32"\n'


pytestmark = pytest.mark.usefixtures("word_encoder")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "export.csv").write_text(HEADER + ROWS)
    (folder / "home").mkdir()
    (folder / "home" / "stockroom.toml").write_text(SETTINGS)
    return folder


def titles(answer):
    return [hit["title"] for hit in json.loads(answer.out)]


def test_init_declares_the_export_and_build_makes_it_searchable(shop, stockroom):
    home = shop / "home"
    declared = stockroom("init", shop / "export.csv", "--home", home)
    assert "12 products" in declared.out or "raw.products 12" in declared.out
    text = (home / "stockroom.toml").read_text()
    assert text.startswith(SETTINGS)
    assert 'files = ["../export.csv"]' in text
    built = stockroom("build", "--home", home)
    assert "12 products" in built.out
    assert titles(stockroom("search", "blue kettle", "-k", "1", "--home", home, "--json")) == ["blue kettle"]


def test_init_leaves_a_declaration_that_is_there(shop, stockroom):
    before = (shop / "home" / "stockroom.toml").read_text()
    again = stockroom("init", shop / "export.csv", "--home", shop / "home")
    assert again.status == 1
    assert "declares sources already" in again.err
    assert (shop / "home" / "stockroom.toml").read_text() == before


def test_a_second_build_finds_nothing_new(shop, stockroom):
    assert "Nothing changed" in stockroom("build", "--home", shop / "home").out


def test_a_build_that_is_asked_to_compare_everything_repairs_a_row_that_was_changed_by_hand(shop, stockroom):
    lake = Lake(shop / "home" / "lake")

    def titles() -> set[str]:
        with lake.reading() as connection:
            return {title for (title,) in connection.execute("SELECT title FROM staging.products").fetchall()}

    whole = titles()
    with lake.writing() as connection:
        connection.execute("UPDATE staging.products SET title = 'by hand', input_hash = 'x' WHERE title = 'red lamp'")
    stockroom("build", "--compare-all", "--home", shop / "home")
    assert titles() == whole


def test_a_smaller_file_of_the_same_shape_changes_and_deletes_products(shop, stockroom):
    home, changes = shop / "home", shop / "changes.csv"
    changes.write_text("op," + HEADER + "upsert,0001,crimson lamp,Acme,$5.00,Home > Lamp,1\ndelete,0002,,,,,\n")
    applied = json.loads(stockroom("apply", changes, "--home", home, "--json").out)
    (file,) = applied["files"]
    assert (file["name"], file["updated"], file["deleted"]) == ("changes.csv", 1, 1)
    assert applied["attributes"] == {"inserted": 0, "updated": 1, "deleted": 1}
    hits = titles(stockroom("search", "crimson lamp", "--home", home, "--json"))
    assert hits[0] == "crimson lamp"
    assert "red chair" not in hits
    assert len(hits) == 10
    query = "SELECT key, price FROM attributes.products ORDER BY key LIMIT 2"
    answer = json.loads(stockroom("sql", query, "--home", home, "--json").out)
    assert [tuple(row.values()) for row in answer] == [("us:0001", 5.0), ("us:0003", 399.0)]
    cheap = stockroom("search", "lamp", "--where", "price < 6", "--home", home, "--json")
    assert titles(cheap) == ["crimson lamp"]


def test_the_same_changes_are_known_by_name_and_content(shop, stockroom):
    again = json.loads(stockroom("apply", shop / "changes.csv", "--home", shop / "home", "--json").out)
    assert not again["changed"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Ref,Nam\n1,a\n", "lacks columns of every declared source"),
        (HEADER + "12.0,a,b,$1,c,1\n", "every row was refused: bad.csv line 2 (product_id_is_decimal)"),
        (HEADER + "1,a,b,c\n", "line 2 cannot be read as 6 fields"),
    ],
)
def test_changes_that_cannot_be_read_say_where_and_change_nothing(shop, stockroom, text, message):
    (shop / "bad.csv").write_text(text)
    refused = stockroom("apply", shop / "bad.csv", "--home", shop / "home")
    assert refused.status == 1
    assert message in refused.err.replace("\n", " ")


def test_a_value_that_cannot_be_read_is_missing_and_its_product_stays(shop, stockroom):
    home = shop / "home"
    (shop / "more.csv").write_text(HEADER + "1000,silver lamp,Acme,call us,Home > Lamp,1\n")
    applied = json.loads(stockroom("apply", shop / "more.csv", "--home", home, "--json").out)
    assert [(file["inserted"], file["rules"]) for file in applied["files"]] == [(1, {"not_money": 1})]
    query = "SELECT key FROM quarantine.rows WHERE rule = 'not_money'"
    assert json.loads(stockroom("sql", query, "--home", home, "--json").out) == [{"key": "more.csv line 2"}]
    assert titles(stockroom("search", "silver lamp", "-k", "1", "--home", home, "--json")) == ["silver lamp"]


def test_the_attributes_of_late_and_known_changes_count_no_more_than_their_products(shop, stockroom):
    home, header = shop / "home", "op,event_time," + HEADER

    def applied(name, *rows):
        (shop / name).write_text(header + "".join(f"{row}\n" for row in rows))
        stockroom("apply", shop / name, "--home", home)
        query = "SELECT key, price FROM attributes.products WHERE key IN ('us:2000', 'us:2001') ORDER BY key"
        rows = json.loads(stockroom("sql", query, "--home", home, "--json").out)
        return {row["key"]: row["price"] for row in rows}

    noon, earlier = "2026-01-01T12:00:00Z", "2026-01-01T11:00:00Z"
    first = [f"upsert,{noon},2000,teal lamp,Acme,$10.00,Home,1", f"upsert,{noon},2001,teal chair,Acme,$20.00,Home,1"]
    assert applied("noon.csv", *first) == {"us:2000": 10.0, "us:2001": 20.0}
    late = [
        f"upsert,{earlier},2000,teal lamp,Acme,$9.00,Home,1",
        f"upsert,{earlier},2001,teal chair,Acme,$19.00,Home,1",
    ]
    assert applied("late.csv", *late) == {"us:2000": 10.0, "us:2001": 20.0}
    assert applied("deleted.csv", "upsert,,2000,teal lamp,Acme,$12.00,Home,1", "delete,,2001,,,,,") == {"us:2000": 12.0}
    assert applied("later.csv", f"upsert,{earlier},2001,teal chair,Acme,$18.00,Home,1") == {"us:2000": 12.0}
    assert applied("noon.csv", *first) == {"us:2000": 12.0}  # known: neither the product nor its price changes


def test_check_names_what_a_build_would_refuse_and_writes_nothing(shop, stockroom):
    (shop / "next.csv").write_text(HEADER + "1,,b,$1,c,1\n2,ok,b,often,c,1\n2,twice,b,$2,c,1\n")
    before = sorted(path.name for path in (shop / "home").rglob("*"))
    report = json.loads(stockroom("check", shop / "next.csv", "--home", shop / "home", "--json").out)
    assert report["rows"] == {"raw.products": 1}
    assert {(each["rule"], each["rows"], each["examples"][0].split(":")[0]) for each in report["refused"]} == {
        ("product_title_missing", 1, "next.csv line 2"),
        ("duplicate_key", 1, "next.csv line 4"),
    }
    assert [(each["rule"], each["values"], each["examples"][0].split(":")[0]) for each in report["unreadable"]] == [
        ("not_money", 1, "next.csv line 3")
    ]
    assert sorted(path.name for path in (shop / "home").rglob("*")) == before


def test_check_takes_a_row_to_delete_for_no_product(shop, stockroom):
    (shop / "ops.csv").write_text("op," + HEADER + "upsert,1,a,b,$1,c,1\ndelete,2,,,,,\n,3,c,b,$1,c,1\n")
    report = json.loads(stockroom("check", shop / "ops.csv", "--home", shop / "home", "--json").out)
    assert (report["rows"], report["refused"]) == ({"raw.products": 2}, [])
    (shop / "ops.csv").write_text("op," + HEADER + "upsert,1,a,b,$1,c,1\nremove,2,b,b,$1,c,1\n")
    report = json.loads(stockroom("check", shop / "ops.csv", "--home", shop / "home", "--json").out)
    assert (report["rows"], [each["rule"] for each in report["refused"]]) == ({"raw.products": 1}, ["unknown_op"])


def test_the_same_folder_may_be_named_by_raw(shop, stockroom):
    (shop / "other").mkdir()
    (shop / "other" / "export.csv").write_text(HEADER + ROWS + "0099,ninth lamp,Acme,$1.00,Home > Lamp,1\n")
    report = json.loads(stockroom("check", shop / "other" / "export.csv", "--home", shop / "home", "--json").out)
    assert report["rows"] == {"raw.products": 13}


def test_esci_is_a_declaration_like_any_other(tmp_path, stockroom):
    products = {
        "product_id": ["1"],
        "product_title": ["lamp"],
        "product_description": [None],
        "product_bullet_point": [None],
        "product_brand": [None],
        "product_color": [None],
        "product_locale": ["us"],
    }
    judged = {"example_id": [1], "query": ["lamp"], "query_id": [7], "product_id": ["1"], "product_locale": ["us"]}
    judged |= {"esci_label": ["E"], "small_version": [1], "large_version": [1], "split": ["train"]}
    pl.DataFrame(products).write_parquet(tmp_path / "shopping_queries_dataset_products.parquet")
    pl.DataFrame(judged).write_parquet(tmp_path / "shopping_queries_dataset_examples.parquet")
    report = json.loads(stockroom("check", "--raw", tmp_path, "--home", tmp_path / "home", "--json").out)
    assert report["rows"] == {"raw.products": 1, "raw.judgements": 1}
    assert report["refused"] == []
    files = sorted(tmp_path.glob("*.parquet"))
    assert json.loads(stockroom("check", *files, "--home", tmp_path / "home", "--json").out) == report
    told = stockroom("init", *files, "--home", tmp_path / "home")
    assert "needs no declaration" in told.out
    assert f"stockroom build --raw {tmp_path}" in told.out.replace("\n", " ")
    assert not (tmp_path / "home").exists()


def test_a_replay_keeps_the_record_of_values_that_could_not_be_read(shop, stockroom):
    replayed = json.loads(stockroom("replay", "--home", shop / "home", "--json").out)
    assert replayed["differing"] == {}


def test_a_file_with_another_price_replaces_products_and_attributes_of_deltas_together(shop, stockroom):
    home = shop / "home"
    (shop / "export.csv").write_text(HEADER + ROWS.replace("$199.00", "$150.00"))
    stockroom("build", "--home", home)
    query = "SELECT key, title, price FROM staging.products JOIN attributes.products USING (key) ORDER BY key"
    rows = [tuple(row.values()) for row in json.loads(stockroom("sql", query, "--home", home, "--json").out)]
    assert rows[:2] == [("us:0001", "red lamp", 150.0), ("us:0002", "red chair", 299.0)]
    assert len(rows) == 12


LOG = "".join(
    json.dumps({"query": f"q{number % 7}", "product_id": f"{1 + number % 3:04}", "clicked": number % 2 == 0}) + "\n"
    for number in range(60)
)


def test_a_log_of_clicks_alone_is_declared_so_that_some_pair_is_exact(tmp_path, stockroom):
    (tmp_path / "export.csv").write_text(HEADER + ROWS)
    (tmp_path / "log.jsonl").write_text(LOG)
    home = tmp_path / "home"
    declared = stockroom("init", tmp_path / "export.csv", tmp_path / "log.jsonl", "--home", home, "--yes")
    assert declared.status == 0
    (clicks,) = [each for each in load_settings(home).source if each.kind == "clicks"]
    assert clicks.clicks.exact_clicks == 1
    assert "a lower value makes more" in (home / "stockroom.toml").read_text()
    assert "first rows of attributes.products" in declared.out
    assert "and a model needs" in declared.out


def test_a_click_log_is_checked_against_the_declared_products(tmp_path, stockroom):
    (tmp_path / "export.csv").write_text(HEADER + ROWS)
    (tmp_path / "log.jsonl").write_text(LOG)
    home = tmp_path / "home"
    stockroom("init", tmp_path / "export.csv", tmp_path / "log.jsonl", "--home", home, "--yes")
    (tmp_path / "new.jsonl").write_text(LOG + LOG.replace("0001", "9999"))
    checked = stockroom("check", tmp_path / "new.jsonl", "--home", home)
    assert checked.status == 0
    assert "unknown_product" in checked.out
    assert "9999" in checked.out
