"""What a build would refuse in the files of declared sources, told with places and nothing written."""

import json

import polars as pl
import pytest

from warehouse.declaration.source import Source
from warehouse.errors import WarehouseError
from warehouse.ingest.source_check import check_delta_files, check_sources

SOURCE = Source(kind="products", files=("*.csv",), columns={"product_id": "sku", "title": "name"})


@pytest.mark.parametrize("batch_rows", [2, 50_000])
def test_rows_that_pass_are_counted_and_refused_ones_have_their_place(tmp_path, batch_rows):
    (tmp_path / "a.csv").write_text("sku,name\n1,lamp\n2,chair\n1,other lamp\n3,  \n")
    (tmp_path / "b.csv").write_text("sku,name\n4,tent\n2,other chair\n5.0,drill\n")
    report = check_sources([SOURCE], tmp_path, batch_rows=batch_rows)
    assert report.rows == {"raw.products": 3}
    assert report.first["raw.products"]["product_title"].to_list()[:2] == ["lamp", "chair"]
    told = {refusal.rule: (refusal.rows, refusal.examples) for refusal in report.refusals}
    assert told["duplicate_key"][0] == 2
    places = [example.split(":")[0].split("/")[-1] for example in told["duplicate_key"][1]]
    assert places == ["a.csv line 4", "b.csv line 3"]
    assert sum(rows for rows, _ in told.values()) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]


def test_judgements_of_unknown_products_are_told(tmp_path):
    (tmp_path / "a.csv").write_text("sku,name\n00123,lamp\n")
    (tmp_path / "j.tsv").write_text("q\tsku\tlabel\nlamp\t123\tE\nlamp\t00123\tE\n")
    judged = Source(kind="judgements", files=("j.tsv",), columns={"query": "q", "product_id": "sku", "label": "label"})
    report = check_sources([SOURCE, judged], tmp_path)
    assert report.rows == {"raw.products": 1, "raw.judgements": 2}
    (refusal,) = report.refusals
    assert (refusal.rule, refusal.rows) == ("judgement_without_product", 1)
    assert refusal.examples == ("query 'lamp' has product us:123, which the catalog lacks; its first is us:00123",)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_delta_is_refused_by_the_rules_by_which_it_is_applied(tmp_path, ending):
    path = tmp_path / f"changes.{ending}"
    rows = pl.DataFrame(
        {
            "op": ["upsert", "remove", "delete", "upsert", "upsert", "delete"],
            "event_time": ["2024-01-01T00:00:00Z", None, None, "soon", "2999-01-01T00:00:00Z", None],
            "sku": ["1", "2", "3", "4", "5", None],
            "name": ["lamp", "chair", None, "tent", "drill", None],
        }
    )
    if ending == "csv":
        rows.write_csv(path)
    elif ending == "parquet":
        rows.write_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows.to_dicts()))
    report = check_delta_files([path], [SOURCE])
    assert report.rows == {"raw.products": 1}
    assert report.notes == (f"changes.{ending}: 1 upsert and 1 delete",)
    rules = {refusal.rule: refusal.rows for refusal in report.refusals}
    assert rules.pop("event_time_wrong_type") == 1
    assert rules.pop("unknown_op") == 1
    assert sum(rules.values()) >= 2
    assert "event_time_in_future" in str(rules)


def test_a_delta_without_a_row_to_apply_is_refused_whole(tmp_path):
    (tmp_path / "changes.csv").write_text("op,sku,name\nremove,1,lamp\n")
    with pytest.raises(WarehouseError, match="every row was refused: unknown_op"):
        check_delta_files([tmp_path / "changes.csv"], [SOURCE])


def test_a_delta_may_have_columns_called_as_those_that_number_its_rows(tmp_path):
    own = {"op": "upsert", "product_locale": "us", "product_id": "1", "product_title": "lamp", "row": 7}
    pl.DataFrame([own | {"file_row_number": 5}]).write_parquet(tmp_path / "changes.parquet")
    report = check_delta_files([tmp_path / "changes.parquet"], [])
    assert (report.rows, report.refusals) == ({"raw.products": 1}, [])


def test_a_locale_whose_titles_are_in_another_language_is_told_with_the_remedy(tmp_path):
    (tmp_path / "a.csv").write_text("sku,name\n1,Schloss mit Zahlen\n2,Sattel für Damen\n3,Pumpe\n")
    assumed, language = check_sources([SOURCE], tmp_path).notes
    assert assumed.endswith('declares none; to set it write under [source.columns]: locale = { constant = "us" }')
    assert language == (
        "the titles of locale us look German, and its words follow English: "
        'write under [source.columns]: locale = { constant = "de" }'
    )
    columns = {**SOURCE.columns, "locale": {"constant": "de"}}
    german = Source(kind="products", files=("*.csv",), columns=columns)
    assert check_sources([german], tmp_path).notes == ()


def test_a_locale_of_the_files_in_another_language_is_told_without_a_constant(tmp_path):
    (tmp_path / "a.csv").write_text("sku,name,lang\n1,Schloss mit Zahlen,us\n2,Sattel für Damen,us\n3,Pumpe,us\n")
    source = Source(kind="products", files=("*.csv",), columns={**SOURCE.columns, "locale": "lang"})
    (note,) = check_sources([source], tmp_path).notes
    assert note == (
        "the titles of locale us look German, and its words follow English: look at the locales that the files name"
    )


def test_a_malformed_locale_has_no_language(tmp_path):
    (tmp_path / "a.csv").write_text("sku,name,lang\n1,Lamp for the desk,us\n2,Chair with arms,x!\n3,The tent,us\n")
    source = Source(kind="products", files=("*.csv",), columns={**SOURCE.columns, "locale": "lang"})
    report = check_sources([source], tmp_path)
    assert report.languages == ("en",)
    assert [refusal.rule for refusal in report.refusals] == ["product_locale_malformed"]
