import polars as pl

from assets.evaluation.query_segments import slices_of

FEATURES = pl.DataFrame(
    [
        ("us:1", "us", True, 2, 0, False),  # names a brand that was in train
        ("us:2", "us", False, 3, 1, False),  # one of its Exact products has a brand of train
        ("us:3", "us", False, 4, 0, True),  # its only Exact product with a brand has another
        ("es:3", "es", False, 5, 0, False),  # only a Substitute has a brand
    ],
    schema=["key", "locale", "has_brand", "query_words", "query_numbers", "has_negation"],
    orient="row",
)
JUDGEMENTS = pl.DataFrame(
    [
        ("us", 1, "A", "E"),
        ("us", 2, "A", "E"),
        ("us", 2, "B", "E"),
        ("us", 3, "B", "E"),
        ("us", 3, "C", "E"),
        ("us", 3, "A", "I"),
        ("es", 3, "A", "S"),
    ],
    schema=["locale", "query_id", "product_id", "label"],
    orient="row",
)
PRODUCTS = pl.DataFrame(
    [("us", "A", "acme"), ("us", "B", "bolt"), ("us", "C", None), ("es", "A", "acme")],
    schema=["locale", "product_id", "brand_key"],
    orient="row",
)
VOCABULARY = pl.DataFrame([("brand", "acme"), ("color", "bolt")], schema=["kind", "value"], orient="row")


def test_queries_are_grouped():
    slices = slices_of(FEATURES, JUDGEMENTS, PRODUCTS, VOCABULARY)
    assert slices.columns == ["locale", "query_id", "slice", "part"]
    parts = {(locale, query, name): part for locale, query, name, part in slices.iter_rows()}
    assert slices.height == len(parts) == 4 * len(FEATURES)
    queries = [("us", 1), ("us", 2), ("us", 3), ("es", 3)]
    assert [parts[(*query, "brand")] for query in queries] == ["seen", "seen", "unseen", "none"]
    assert [parts[(*query, "length")] for query in queries] == ["1-2", "3-4", "3-4", "5+"]
    assert [parts[(*query, "negation")] for query in queries] == ["no", "no", "yes", "no"]
    assert [parts[(*query, "number")] for query in queries] == ["no", "yes", "no", "no"]
