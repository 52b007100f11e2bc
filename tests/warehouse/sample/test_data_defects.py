import polars as pl
import pytest

from warehouse.contracts.esci_files import EXAMPLES_FILE as EXAMPLES
from warehouse.contracts.esci_files import PRODUCTS_FILE as PRODUCTS
from warehouse.sample import SampleSummary, write_esci
from warehouse.sample.data_defects import JUDGEMENT_DEFECTS, PRODUCT_DEFECTS, UNBRANDED

Sample = tuple[SampleSummary, pl.DataFrame, pl.DataFrame]
KEY = ["product_locale", "product_id"]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    out = tmp_path_factory.mktemp("defects")
    return write_esci(out, 2_500, 5), pl.read_parquet(out / PRODUCTS), pl.read_parquet(out / EXAMPLES)


def test_every_kind_is_planted_in_small_measure(sample: Sample) -> None:
    summary, products, examples = sample
    assert set(summary.defects) == {UNBRANDED, *PRODUCT_DEFECTS, *JUDGEMENT_DEFECTS}
    for kind, count in summary.defects.items():
        rows = examples if kind in JUDGEMENT_DEFECTS else products
        assert 1 <= count <= 0.0065 * rows.height, kind


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("html_tags", "<[a-z]"),
        ("html_entities", "&amp;|&#39;"),
        ("odd_white_space", "[\u00a0\t\u200b\u3000]|  "),
        ("full_width", "[\uff01-\uff5e]"),
    ],
)
def test_text_dirt_is_found_as_counted(sample: Sample, kind: str, pattern: str) -> None:
    summary, products, _ = sample
    dirty_rows = products.unique(KEY, keep="first").filter(pl.col("product_id") != "")
    # A row that was copied with an empty id or twice keeps its clean or dirty title: only its first copy counts.
    assert dirty_rows["product_title"].str.contains(pattern).sum() == summary.defects[kind]


def test_blank_text_and_missing_brands_are_found_as_counted(sample: Sample) -> None:
    summary, products, _ = sample
    first = products.filter(pl.col("product_id") != "").unique(KEY, keep="first")
    assert (first["product_description"].str.strip_chars() == "").sum() == summary.defects["blank_text"]
    assert (
        first["product_brand"].is_null().sum()
        == summary.defects["missing_brand"] + summary.defects["brand_in_title_only"]
    )


def test_brand_case_is_found_as_counted(sample: Sample) -> None:
    summary, products, _ = sample
    first = products.filter(pl.col("product_id") != "").unique(KEY, keep="first")
    brand = pl.col("product_brand")
    odd = first.filter((brand == brand.str.to_uppercase()) | (brand == brand.str.to_lowercase()))
    assert odd.height == summary.defects["brand_case"]


def test_duplicate_and_empty_keys_are_found_as_counted(sample: Sample) -> None:
    summary, products, _ = sample
    keyed = products.filter(pl.col("product_id") != "")
    assert products.height - keyed.height == summary.defects["empty_product_id"]
    groups = keyed.group_by(KEY).agg(pl.len(), titles=pl.col("product_title").n_unique()).filter(pl.col("len") > 1)
    assert groups.filter(pl.col("titles") == 1).height == summary.defects["duplicate_key_exact"]
    assert groups.filter(pl.col("titles") > 1).height == summary.defects["duplicate_key_differing"]


def test_judgement_dirt_is_found_as_counted(sample: Sample) -> None:
    summary, products, examples = sample
    defects = summary.defects
    assert examples.filter(~pl.col("esci_label").is_in(list("ESCI"))).height == defects["unknown_label"]
    assert (examples["product_id"] == "").sum() == defects["judgement_empty_product_id"]
    absent = examples.filter(pl.col("product_id") != "").join(products, on=KEY, how="anti")
    assert absent.height == defects["judgement_without_product"]
    repeated = examples.filter(pl.col("product_id") != "").drop("example_id")
    assert repeated.height - repeated.unique().height == defects["duplicate_judgement"]
    assert examples["example_id"].to_list() == list(range(examples.height))
