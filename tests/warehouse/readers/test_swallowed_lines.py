"""A value that holds rows of its file is told with its place, since these rows are missing; text with commas is none."""

import json

import pytest

from warehouse.declaration.source import Attribute, Source
from warehouse.ingest.source_check import check_sources
from warehouse.sources.delta import converted_delta
from warehouse.sources.prepared import prepare, refused_rows

ROWS = [f"P{number},Mug {number},Acme,{number}.5" for number in range(1, 41)]
SOURCE = Source(
    kind="products",
    files=("mugs.csv",),
    columns={"product_id": "id", "title": "title", "brand": "brand"},
    attributes=(Attribute(name="price", column="price", type="money", meaning="price"),),
)


def write(folder, changed, header="id,title,brand,price", delimiter=","):
    rows = [changed.get(number, row) for number, row in enumerate(ROWS, 1)]
    path = folder / "mugs.csv"
    path.write_text("\n".join([header, *rows, ""]).replace(",", delimiter), encoding="utf-8")
    return path


def problems(folder):
    return [(each.rows, each.examples) for each in check_sources([SOURCE], folder).refusals if "holds" in each.rule]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("opening", "closing", "column"),
    [
        ('P11,"Mug 11,Acme,11.5', 'P21,Screen 27",Acme,21.5', "title"),
        ('P11,Mug 11,"Acme,11.5', 'P21,Screen,Acme",21.5', "brand"),
        ('P11,Mug 11,Acme,"11.5', 'P21,Screen,Acme,21.5"', "price"),
    ],
)
def test_a_value_with_the_rows_after_it_is_told_with_its_line(tmp_path, opening, closing, column, delimiter):
    write(tmp_path, {11: opening, 21: closing}, delimiter=delimiter)
    ((rows, (example,)),) = problems(tmp_path)
    assert rows == 1
    assert example.startswith(f"mugs.csv line 12: {column} ")


def test_such_a_value_of_a_build_is_in_quarantine(tmp_path):
    write(tmp_path, {11: 'P11,"Mug 11,Acme,11.5', 21: 'P21,Screen 27",Acme,21.5'})
    prepare([SOURCE], tmp_path, tmp_path / "prepared")
    refused = refused_rows(tmp_path / "prepared", "raw.products").filter(rule="holds_other_rows")
    assert refused["key"].to_list() == ["mugs.csv line 12"]
    assert "P12" in json.loads(refused["row"][0])["value"]


def test_such_a_value_of_a_delta_is_in_quarantine(tmp_path):
    path = write(tmp_path, {11: 'P11,"Mug 11,Acme,11.5', 21: 'P21,Screen 27",Acme,21.5'})
    delta = converted_delta(path, [SOURCE], tmp_path / "delta")
    assert delta is not None
    assert delta.unread.filter(rule="holds_other_rows")["key"].to_list() == ["mugs.csv line 12"]


@pytest.mark.parametrize(
    "text",
    [
        '"Red, round\nand, with a handle\nfor tea, coffee\nand milk, too"',
        '"a, b, c, d\nwithout a second such line"',
        '"one\ntwo\nthree\nfour\nfive\nsix\nseven"',
    ],
)
def test_text_of_several_lines_is_none(tmp_path, text):
    write(tmp_path, {11: f"P11,{text},Acme,11.5"})
    assert problems(tmp_path) == []
    assert check_sources([SOURCE], tmp_path).rows["raw.products"] == len(ROWS)


def test_where_quotes_have_no_meaning_there_is_none(tmp_path):
    write(tmp_path, {11: 'P11,"Mug 11,Acme,11.5'})
    assert problems(tmp_path) == []
    assert check_sources([SOURCE], tmp_path).rows["raw.products"] == len(ROWS)
