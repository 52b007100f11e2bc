from collections import Counter

import numpy as np

from warehouse.sample.catalog import CHUNK_ROWS, chunks, draw_catalog, product_id
from warehouse.sample.listings import write_listings
from warehouse.sample.vocabulary.attributes import LOCALES, forms, value_count
from warehouse.sample.vocabulary.brands import NAMES, brand_name
from warehouse.sample.vocabulary.product_types import product_types


def test_chunks_cover_all_rows_once() -> None:
    covered = [row for _, start, stop in chunks(CHUNK_ROWS + 3) for row in range(start, stop)]
    assert covered == list(range(CHUNK_ROWS + 3))


def test_a_second_chunk_brings_other_products() -> None:
    codes = draw_catalog(2 * CHUNK_ROWS, 7)
    assert not np.array_equal(codes.type[:CHUNK_ROWS], codes.type[CHUNK_ROWS:])


def test_keys_are_unique_in_a_locale_and_shared_between_locales() -> None:
    codes = draw_catalog(5_000, 7)
    keys = [(product_id(item), locale) for item, locale in zip(codes.item.tolist(), codes.locale.tolist(), strict=True)]
    assert len(set(keys)) == 5_000
    homes = Counter(key for key, _ in keys)
    assert sum(count > 1 for count in homes.values()) > 300
    assert {len(key) for key in homes} == {10}


def test_a_shared_key_is_the_same_product_everywhere() -> None:
    codes = draw_catalog(5_000, 7)
    facts = np.stack([codes.item, codes.type, codes.brand, codes.maker, codes.color, codes.first, codes.second], axis=1)
    assert len(np.unique(facts, axis=0)) == len(np.unique(codes.item))


def test_values_lie_in_their_types_lists() -> None:
    codes = draw_catalog(5_000, 7)
    for row in range(0, 5_000, 7):
        kind = product_types()[codes.type[row]]
        assert 0 <= codes.first[row] < value_count(kind.attributes[0])
        assert 0 <= codes.second[row] < value_count(kind.attributes[1])
        assert (codes.color[row] >= 0) == kind.colored


def test_vocabulary_is_whole_in_every_locale() -> None:
    types = product_types()
    assert sum(kind.accessory_of < 0 for kind in types) >= 40
    assert sum(kind.accessory_of >= 0 for kind in types) >= 10
    for name in {"color", *(name for kind in types for name in kind.attributes)}:
        for locale in LOCALES:
            values = forms(name, locale)
            assert len(values) == value_count(name)
            written = [form for value in values for form in value]
            assert all(written)
            assert len({form.casefold() for form in written}) >= len(values)


def test_no_form_stands_for_two_values_of_one_attribute() -> None:
    for name in {"color", *(name for kind in product_types() for name in kind.attributes)}:
        for locale in LOCALES:
            owners: dict[str, int] = {}
            for value, written in enumerate(forms(name, locale)):
                for form in written:
                    assert owners.setdefault(form.casefold(), value) == value, (name, locale, form)


def test_brand_names_differ_from_each_other_and_between_seeds() -> None:
    names = [brand_name(brand, 1) for brand in range(5_000)]
    assert len(set(names)) == 5_000
    assert brand_name(NAMES, 1) != brand_name(0, 1)
    assert len(set(names[:200]) & {brand_name(brand, 2) for brand in range(200)}) < 10


def test_a_listing_says_what_the_product_is() -> None:
    codes = draw_catalog(1_000, 7)
    for row, listing in enumerate(write_listings(codes, [7], 1)):
        locale = LOCALES[codes.locale[row]]
        kind = product_types()[codes.type[row]]
        text = f"{listing['product_title']} {listing['product_color'] or ''}".casefold()
        for name, value in [
            *zip(kind.attributes, (codes.first[row], codes.second[row]), strict=True),
            ("color", codes.color[row]),
        ]:
            if value >= 0:
                assert any(form.casefold() in text for form in forms(name, locale)[value]), (name, text)
        assert any(name.casefold() in text for name in kind.names[locale])
        if codes.brand[row] >= 0:
            assert listing["product_brand"] == brand_name(int(codes.brand[row]), 1)
        else:
            assert listing["product_brand"] is None
        if kind.accessory_of >= 0:
            main = product_types()[kind.accessory_of]
            assert any(name.casefold() in text for name in main.names[locale])
            if codes.maker[row] >= 0:
                assert brand_name(int(codes.maker[row]), 1).casefold() in text
