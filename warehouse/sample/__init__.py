"""Synthetic catalogs of three kinds: deterministic, with labels and clicks derived from the attributes of the products."""

from warehouse.sample.clicks import write_clicks
from warehouse.sample.esci import write_esci
from warehouse.sample.kinds import SAMPLE_KINDS
from warehouse.sample.output_files import SampleSummary
from warehouse.sample.shop import write_shop

__all__ = ["SAMPLE_KINDS", "SampleSummary", "write_clicks", "write_esci", "write_shop"]
