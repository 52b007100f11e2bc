"""Text refresh: the text index, reconciled with the cleaned products."""

import polars as pl

from assets.run_context import RunContext
from warehouse.contracts.registry import CONTRACTS
from warehouse.features import datasets
from warehouse.lake import change_feed
from warehouse.lake.reconcile import plan
from warehouse.lake.watermarks import Watermark
from warehouse.vectors.text_index import TABLE, TextWrite

TEXTS = "vectors.texts"
SOURCE = "staging.products"
_ROWS = 50_000


def refresh_texts(run_context: RunContext) -> TextWrite:
    """Make the text index match staging.products; read only the products that changed since it last did.

    A build also takes all rows into the full-text index; an apply leaves that to a reindex.
    """
    home, since = run_context.home, _followed(run_context)
    snapshot = run_context.watermarks.state.snapshot
    with home.lake.reading() as connection:
        keys = None if since is None else change_feed.changed_keys(connection, [CONTRACTS[SOURCE]], since)
    change = plan(datasets.text_hashes(home.lake, keys), home.texts.current(keys))
    upserts = _differing(run_context) if run_context.reembed_all else change.upsert
    parts = (datasets.texts(home.lake, part) for part in upserts.iter_slices(_ROWS))
    text_write = home.texts.apply(parts, change.delete["key"].to_list())
    if text_write.version and not run_context.pinned_model:
        with home.index_lock():
            text_write = text_write._replace(version=home.texts.refresh_index())
    if not is_current(run_context):
        run_context.watermarks.settle({TEXTS: Watermark(snapshot, TABLE)})
    return text_write


def differing_rows(run_context: RunContext, rows: int) -> list[str]:
    """Return the keys of sampled rows of the index whose words are not those of the catalog; half of the sample is the newest."""
    home = run_context.home
    version = home.texts.version()
    stored = home.texts.sample(version, rows, seed=version)
    return _other_than(datasets.texts(home.lake, stored.select("key")), stored)


def _differing(run_context: RunContext) -> pl.DataFrame:
    """Return the keys (key) of all products whose row of the index is missing or holds other words, whatever its hash says."""
    home = run_context.home
    stored = home.texts.read(home.texts.version()) if home.texts.version() else datasets.texts(home.lake).clear()
    wanted = datasets.texts(home.lake)
    return wanted.select("key").filter(~pl.col("key").is_in(_equal(wanted, stored)))


def _other_than(wanted: pl.DataFrame, stored: pl.DataFrame) -> list[str]:
    equal = set(_equal(wanted, stored))
    return [key for key in stored["key"].sort() if key not in equal]


def _equal(wanted: pl.DataFrame, stored: pl.DataFrame) -> list[str]:
    columns = [name for name in stored.columns if name != "input_hash"]
    return (
        wanted.select(columns).join(stored.select(columns), on=columns, how="semi", nulls_equal=True)["key"].to_list()
    )


def is_current(run_context: RunContext) -> bool:
    """Tell whether the text index follows the newest staging.products."""
    is_made = bool(run_context.home.texts.version())
    return is_made and run_context.watermarks.progress.is_current(TEXTS, (SOURCE,), TABLE)


def _followed(run_context: RunContext) -> int | None:
    """Return the snapshot that the index follows, None if all rows have to be compared."""
    home = run_context.home
    if run_context.compares_whole or run_context.reembed_all:
        return None
    watermark = run_context.watermarks.by_key.get(TEXTS)
    if watermark is None or watermark.made_by != TABLE or not home.texts.version():
        return None
    return watermark.snapshot if run_context.watermarks.state.is_followed([SOURCE], watermark.snapshot) else None
