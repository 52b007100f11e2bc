"""The report page names the queries that changed most, the worst first, or states that there are none."""

import polars as pl

from assets.reporting.evaluation_report import most_changed, report

QUERIES = pl.DataFrame(
    [
        ("us", 1, "mug", 0.9, 0.5, 1, 9),
        ("us", 2, "a | b", 0.2, 0.8, 30, 2),
        ("us", 3, "same", 0.5, 0.5, 2, 2),
        ("us", 4, "found earlier", 0.5, 0.5, 1, 4),
        ("es", 5, "sin E", 0.4, 0.5, None, None),
    ],
    schema=["locale", "query_id", "query", "model_ndcg", "encoder_ndcg", "model_first", "encoder_first"],
    orient="row",
)
SCHEMA = {
    **dict.fromkeys(("locale", "slice", "part", "ranker", "metric"), pl.String),
    **dict.fromkeys(("value", "low", "high"), pl.Float64),
    "queries": pl.Int64,
}
METRICS = pl.DataFrame(
    [
        ("all", "all", "all", ranker, metric, 0.25, 0.1, 0.4, 5)
        for ranker in ("random", "bm25", "encoder", "model", "model_minus_encoder")
        for metric in ("ndcg", "ndcg_two_gains", "recall@10", "recall@100", "mrr")
    ],
    schema=SCHEMA,
    orient="row",
)


def test_queries_are_named_by_what_changed_most():
    better, worse = most_changed(QUERIES)
    assert better["query_id"].to_list() == [1, 4]
    assert worse["query_id"].to_list() == [2, 5]


def test_no_more_than_ten_of_each_are_named():
    many = pl.concat([QUERIES.with_columns(query_id=pl.col("query_id") + 10 * copy) for copy in range(20)])
    assert [frame.height for frame in most_changed(many)] == [10, 10]


def test_the_page_holds_plots_leads_and_tables():
    page = report(METRICS, QUERIES).value
    for plot in ("relevance", "locales", "slices"):
        assert f"![{plot}](data:image/png;base64," in page
    assert "| all | encoder | +0.2500 [+0.100, +0.400] |" in page
    few = METRICS.with_columns(low=None, high=None).cast({"low": pl.Float64, "high": pl.Float64})
    assert "| all | encoder | +0.2500, too few queries (5) to judge |" in report(few, QUERIES).value
    improved, harmed = page.split("## Most improved over the encoder")[1].split("## Most harmed")
    assert "| us | 1 | mug | 0.5 | 0.9 | 9 | 1 |" in improved
    assert "| us | 2 | a \\| b | 0.8 | 0.2 | 2 | 30 |" in harmed
    assert "same" not in improved + harmed
    assert report(METRICS, QUERIES.clear()).value.endswith("## Most harmed\n\nnone")
