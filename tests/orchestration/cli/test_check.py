"""`stockroom check` ends with 1 where a build would refuse the files."""

import json

import pytest

DECLARATION = """[[source]]
kind = "products"
files = ["../mugs.csv"]
[source.columns]
product_id = "id"
title = "name"
locale = { constant = "us" }
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "stockroom.toml").write_text(DECLARATION)
    return tmp_path / "home"


def test_it_ends_with_0_where_products_are_left(stockroom, home):
    (home.parent / "mugs.csv").write_text("id,name\n1,red mug\n,blue mug\n")
    answer = stockroom("check", "--home", home)
    assert answer.status == 0
    assert "product_id_missing" in answer.out


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_where_every_product_is_refused_the_report_comes_and_then_an_error(stockroom, home, options):
    (home.parent / "mugs.csv").write_text("id,name\n,red mug\n,blue mug\n")
    answer = stockroom("check", "--home", home, *options)
    assert answer.status == 1
    assert "no product is left, which a build refuses" in answer.err
    if options:
        assert json.loads(answer.out)["refused"][0]["rows"] == 2


def test_files_without_a_row_are_refused_by_name(stockroom, home):
    (home.parent / "mugs.csv").write_text("id,name\n")
    answer = stockroom("check", "--home", home)
    assert answer.status == 1
    assert f"no row of products stands in {home.parent / 'mugs.csv'}; give files with rows" in answer.err


def test_a_byte_order_mark_before_the_declaration_is_no_part_of_it(stockroom, home):
    (home / "stockroom.toml").write_text(DECLARATION, encoding="utf-8-sig")
    (home.parent / "mugs.csv").write_text("id,name\n1,red mug\n")
    assert stockroom("check", "--home", home).status == 0


def test_a_build_of_what_check_refuses_names_the_declaration(stockroom, home):
    (home.parent / "mugs.csv").write_text("id,name\n,red mug\n,blue mug\n")
    answer = stockroom("build", "--home", home)
    assert answer.status == 1
    assert "what stockroom.toml declares would leave raw.products without a row" in answer.err
    assert "product_id_missing 2" in answer.err
