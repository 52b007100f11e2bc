"""The kinds of sample: the files of each, and what writes them."""

from collections.abc import Callable
from dataclasses import dataclass

from warehouse.contracts.esci_files import EXAMPLES_FILE, PRODUCTS_FILE, SOURCES_FILE
from warehouse.sample import clicks, esci, shop
from warehouse.sample.output_files import SampleSummary


@dataclass(frozen=True)
class SampleKind:
    """Hold the names of the files of a kind, the function that writes them, and how a shell names them to `stockroom init`."""

    files: tuple[str, ...]
    write: Callable[..., SampleSummary]
    init_files: str | None
    """None: the files are those of ESCI, which need no declaration."""


SAMPLE_KINDS = {
    "esci": SampleKind((PRODUCTS_FILE, EXAMPLES_FILE, SOURCES_FILE), esci.write_esci, None),
    "shop": SampleKind(shop.PARTS, shop.write_shop, "*.csv"),
    "clicks": SampleKind((clicks.CATALOG, clicks.LOG), clicks.write_clicks, f"{clicks.CATALOG} {clicks.LOG}"),
}
