"""A picture is drawn again exactly if its data changed."""

import dagster as dg
import polars as pl

from assets.reporting.pictures import picture_metadata


def test_a_picture_stays_until_what_it_shows_changes():
    made = []
    inputs = {"bound": 0.1, "rows": pl.DataFrame({"a": [1, 2]})}

    @dg.asset(key=["features", "products"])
    def products(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        def draw():
            made.append(f"picture {len(made) + 1}")
            return [dg.MarkdownMetadataValue(made[-1])]

        return dg.MaterializeResult(
            metadata=picture_metadata(context, "features.products", ["plot"], list(inputs.values()), draw)
        )

    def plot():
        (event,) = dg.materialize([products], instance=instance).get_asset_materialization_events()
        return event.materialization.metadata["plot"].value

    with dg.DagsterInstance.ephemeral() as instance:
        assert [plot(), plot()] == ["picture 1"] * 2
        inputs["rows"] = pl.DataFrame({"a": [1, 3]})
        assert [plot(), plot()] == ["picture 2"] * 2
        inputs["bound"] = 0.2
        assert plot() == "picture 3"
