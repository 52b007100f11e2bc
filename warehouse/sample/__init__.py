"""ESCI-shaped data to try everything on: invented, deterministic, and labeled by what the products are."""

from warehouse.sample.writer import SampleSummary, write_sample

__all__ = ["SampleSummary", "write_sample"]
