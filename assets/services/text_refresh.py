"""Text refresh: the text index, reconciled with the cleaned products."""

from assets.run_context import RunContext
from warehouse.contracts.registry import CONTRACTS
from warehouse.features import datasets
from warehouse.lake import change_feed
from warehouse.lake.lake import snapshot_id
from warehouse.lake.reconcile import plan
from warehouse.lake.watermarks import Progress, Watermark
from warehouse.vectors.text_index import TextWrite

TEXTS = "vectors.texts"
SOURCE = "staging.products"
_ROWS = 50_000


def refresh_texts(run_context: RunContext) -> TextWrite:
    """Make the text index match staging.products; read only the products that changed since it last did."""
    home, since = run_context.home, _followed(run_context)
    with home.lake.reading() as connection:
        snapshot = snapshot_id(connection)
        keys = None if since is None else change_feed.changed_keys(connection, [CONTRACTS[SOURCE]], since)
    desired = datasets.text_hashes(home.lake, keys)
    change = plan(desired, home.texts.current(keys))
    parts = (datasets.texts(home.lake, part) for part in change.upsert.iter_slices(_ROWS))
    text_write = home.texts.apply(parts, change.delete["key"].to_list())
    if not is_current(run_context):
        run_context.watermarks.settle({TEXTS: Watermark(snapshot, str(text_write.version))})
    return text_write


def is_current(run_context: RunContext) -> bool:
    """Tell whether the newest version of the text index follows the newest staging.products."""
    with run_context.home.lake.reading() as connection:
        progress = Progress.read(connection, run_context.watermarks)
    return progress.is_current(TEXTS, (SOURCE,), str(run_context.home.texts.version()))


def _followed(run_context: RunContext) -> int | None:
    """Return the snapshot that the newest version of the index follows, None if all rows have to be compared."""
    home = run_context.home
    if run_context.compares_whole or run_context.reembed_all:
        return None
    with home.lake.reading() as connection:
        watermark = Progress.read(connection, run_context.watermarks).watermarks.get(TEXTS)
        if watermark is None or watermark.made_by != str(home.texts.version()):
            return None
        is_known = change_feed.is_followed(connection, [SOURCE], watermark.snapshot)
    return watermark.snapshot if is_known else None
