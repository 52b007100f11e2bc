import polars as pl
import pytest

from models.errors import ModelError
from models.evaluation.judged_set import Catalog, JudgedSet


def catalog(*keys: str) -> Catalog:
    return Catalog(pl.DataFrame([key.split(":") for key in keys], schema=["locale", "product_id"], orient="row"))


def judgements(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["locale", "query_id", "query", "product_id", "label"], orient="row")


CATALOG = catalog("es:A", "us:A", "us:B", "us:C")


def test_judgements_are_laid_out_by_locale_query_and_product_whatever_their_order():
    rows = judgements(
        ("us", 10, "red shoe", "C", "E"),
        ("us", 9, "wine", "B", "I"),
        ("us", 10, "red shoe", "A", "S"),
        ("es", 2, "vino", "A", "C"),
    )
    for frame in (rows, rows.reverse()):
        judged = JudgedSet.from_frame(frame, CATALOG)
        assert judged.queries.rows() == [("es", 2, "vino"), ("us", 9, "wine"), ("us", 10, "red shoe")]
        assert judged.offsets.tolist() == [0, 1, 2, 4]
        assert judged.products.tolist() == [0, 2, 1, 3]
        assert judged.labels.tolist() == [1, 0, 2, 3]
        assert judged.exact.tolist() == [3]
        assert judged.exact_offsets.tolist() == [0, 0, 0, 1]
        assert judged.slices == {"es": slice(0, 1), "us": slice(1, 3)}


def test_a_product_id_is_looked_up_in_the_querys_own_locale():
    judged = JudgedSet.from_frame(judgements(("us", 1, "q", "A", "E"), ("es", 2, "q", "A", "E")), CATALOG)
    assert judged.products.tolist() == [0, 1]


def test_a_locale_is_one_slice_of_the_catalog():
    assert CATALOG.slices == {"es": slice(0, 1), "us": slice(1, 4)}
    assert len(CATALOG) == 4


def test_fingerprints_hang_on_the_key_alone():
    assert CATALOG.fingerprints[1] == catalog("us:A").fingerprints[0] != CATALOG.fingerprints[0]
    # The first eight bytes of `printf us:A | md5sum`, little endian.
    assert CATALOG.fingerprints[1].tobytes().hex() == "49764034ff1f3e1d"


@pytest.mark.parametrize("keys", [("us:B", "us:A"), ("us:A", "es:A"), ("us:A", "us:A")])
def test_a_catalog_out_of_order_is_refused(keys):
    with pytest.raises(ModelError, match="out of order or repeated"):
        catalog(*keys)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("us", 1, "q", "A", "X")], "unknown label 'X'"),
        ([("us", 1, "q", "A", None)], "unknown label None"),
        ([("us", 1, "q", "Z", "E"), ("us", 1, "q", "A", "E")], "1 judged products are not in the catalog, us:Z"),
        ([("es", 1, "q", "B", "E")], "es:B"),
        ([("us", 1, "q", "A", "E"), ("us", 1, "q", "A", "I")], "judges a product twice"),
        ([], "there are no judgements"),
    ],
)
def test_judgements_that_cannot_be_laid_out_are_refused(rows, message):
    with pytest.raises(ModelError, match=message):
        JudgedSet.from_frame(judgements(*rows), CATALOG)
