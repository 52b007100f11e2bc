"""What a build would refuse in the files of declared sources, told with places and nothing written."""

import pytest

from warehouse.declaration.source import Source
from warehouse.ingest.source_check import check_sources

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
