import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from warehouse.sample import SampleSummary, write_shop
from warehouse.sample.departments import shelves
from warehouse.sample.shop import HEADER, PARTS, SHOP_DEFECTS
from warehouse.sample.vocabulary.product_types import product_types

PRODUCTS = 1_200
Row = dict[str, str]


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SampleSummary]:
    out = tmp_path_factory.mktemp("shop")
    return out, write_shop(out, PRODUCTS, 7)


@pytest.fixture(scope="module")
def rows(sample: tuple[Path, SampleSummary]) -> list[Row]:
    return [row for part in PARTS for row in read(sample[0] / part)]


def test_both_parts_have_a_byte_order_mark_and_the_same_header(sample: tuple[Path, SampleSummary]) -> None:
    for part in PARTS:
        assert (sample[0] / part).read_bytes().startswith(b"\xef\xbb\xbfProduct Ref,Variant SKU,")
        assert tuple(read(sample[0] / part)[0]) == HEADER


def test_same_arguments_give_the_same_bytes(sample: tuple[Path, SampleSummary], tmp_path: Path) -> None:
    assert write_shop(tmp_path, PRODUCTS, 7) == sample[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(PARTS)  # and no unfinished file beside them
    for part in PARTS:
        assert (tmp_path / part).read_bytes() == (sample[0] / part).read_bytes()


def test_another_seed_gives_other_bytes(sample: tuple[Path, SampleSummary], tmp_path: Path) -> None:
    write_shop(tmp_path, PRODUCTS, 8)
    for part in PARTS:
        assert (tmp_path / part).read_bytes() != (sample[0] / part).read_bytes()


def test_summary_counts_the_rows_of_each_part(sample: tuple[Path, SampleSummary]) -> None:
    assert sample[1].rows == {part: len(read(sample[0] / part)) for part in PARTS}


def test_each_product_has_its_variants_in_one_part(sample: tuple[Path, SampleSummary]) -> None:
    products = [{row["Product Ref"] for row in read(sample[0] / part)} for part in PARTS]
    assert [len(part) for part in products] == [PRODUCTS // 2, PRODUCTS // 2]
    assert not products[0] & products[1]


def test_variants_differ_in_size_or_color_alone(rows: list[Row]) -> None:
    own = {"Variant SKU", "Size", "Color", "Stock Count", "Product Title", "Price"}  # title and price: of dirty rows
    by_ref: dict[str, list[Row]] = {}
    for row in {row["Variant SKU"]: row for row in rows}.values():
        by_ref.setdefault(row["Product Ref"], []).append(row)
    assert max(map(len, by_ref.values())) > 3
    for variants in by_ref.values():
        assert len({tuple(value for name, value in row.items() if name not in own) for row in variants}) == 1
        assert len({(row["Size"], row["Color"]) for row in variants}) == len(variants)


def test_ids_are_numbers_with_leading_zeros(rows: list[Row]) -> None:
    assert all(re.fullmatch(r"0\d{8}", row["Product Ref"]) for row in rows)
    assert all(re.fullmatch(rf"{row['Product Ref']}\d\d", row["Variant SKU"]) for row in rows)


@pytest.mark.parametrize(
    ("column", "form"),
    [
        ("Price", r"\$\d{1,3}(,\d{3})*\.\d\d|call us"),
        ("Price Before", r"(\$\d{1,3}(,\d{3})*\.\d\d)?"),
        ("Weight", r"\d+ g|\d+(\.\d+)? kg|\d+\.\d lb"),
        ("Stock Count", r"\d+"),
        ("Published", "true|false"),
        ("Created On", r"202[1-4]-\d\d-\d\d \d\d:\d\d:\d\d"),
        ("Category Path", r"\w+ > \w+ > [\w -]+"),
        ("More Image URLs", r"(https://\S+\.jpg(, )?)*"),
    ],
)
def test_every_value_has_the_form_of_its_column(rows: list[Row], column: str, form: str) -> None:
    assert [row[column] for row in rows if not re.fullmatch(form, row[column])] == []
    assert len({row[column] for row in rows}) > 1


def test_values_need_quotes(rows: list[Row]) -> None:
    assert any("\n" in row["Body HTML"] and '"' in row["Body HTML"] for row in rows)
    assert any("," in row["Product Title"] for row in rows)
    assert any("," in row["Price"] for row in rows)


def test_price_before_has_gaps_and_is_above_the_price(rows: list[Row]) -> None:
    reduced = [row for row in rows if row["Price Before"] and row["Price"] != "call us"]
    assert 0.15 < len(reduced) / len(rows) < 0.45
    assert all(dollars(row["Price Before"]) > dollars(row["Price"]) for row in reduced)


def dollars(text: str) -> float:
    return float(text.removeprefix("$").replace(",", ""))


def test_defects_are_found_as_counted(sample: tuple[Path, SampleSummary], rows: list[Row]) -> None:
    skus = Counter(row["Variant SKU"] for row in rows)
    repeated = sum(count - 1 for count in skus.values())
    found = {
        "blank_title": sum(not row["Product Title"] for row in rows),
        "price_in_words": sum(row["Price"] == "call us" for row in rows),
        "repeated_sku": repeated,
    }
    assert found == sample[1].defects
    assert set(found) == set(SHOP_DEFECTS)
    assert all(0 < count < 0.01 * len(rows) for count in found.values())


def test_every_type_has_a_shelf_that_ends_in_its_name() -> None:
    for kind, shelf in zip(product_types(), shelves(), strict=True):
        assert len(shelf.path) == 3
        assert shelf.path[-1].casefold() == kind.names["us"][0].casefold()
        assert shelf.dollars > 0
        assert shelf.grams > 0


def test_the_smallest_sample_can_be_written(tmp_path: Path) -> None:
    assert sum(write_shop(tmp_path, 1, 1).rows.values()) >= 1
