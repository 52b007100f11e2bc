"""Synthetic data in the form of ESCI: deterministic, with labels derived from the attributes of the products."""

from warehouse.sample.writer import SampleSummary, write_sample

__all__ = ["SampleSummary", "write_sample"]
