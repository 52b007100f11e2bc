"""Jobs: the sets of assets that are run together."""

import dagster as dg

build_job = dg.define_asset_job(
    "build", selection=dg.AssetSelection.all(), description="The main job: raw files to a release, every asset once."
)
