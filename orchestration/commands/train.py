"""The trainer: a model made again from the raw tables as of a snapshot, without publishing it."""

from dataclasses import dataclass, replace

from assets.model.two_tower import model_name, pairs_fingerprint, train_model
from assets.run_context import RunContext
from models.towers.checkpoint_files import MANIFEST_FILE, read_manifest
from orchestration.instance.locks import run_lock
from orchestration.runs.derive import derive
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.history.checkpoints import Point, point, points
from warehouse.home import Home
from warehouse.lake import tables
from warehouse.lake.reconcile import plan
from warehouse.operations.release_views import releases_at
from warehouse.operations.scratch_home import recomputed_home

PAIRS, POINT_IN_TIME = "training.pairs", "training.point_in_time"


@dataclass(frozen=True)
class TrainReport:
    """Tell what was recomputed as of a snapshot, and what came of it.

    `trained` is false where the model of these very inputs was there already. `release` and `release_model` name the
    release that was made from the snapshot, if one was; `same_model` says whether it used this model.
    `feature_view_fingerprint` is that of training.point_in_time, which event each pair sees, recomputed and, where it was
    recorded, the same as then.
    """

    snapshot: int
    ended_at: str
    training_rows: int
    recorded_fingerprint: str
    recomputed_fingerprint: str
    feature_view_fingerprint: str
    model: str
    trained: bool
    weights_sha256: str
    release: int | None
    release_model: str | None
    same_model: bool


def train(run_context: RunContext, as_of: str | None = None) -> TrainReport:
    """Recompute the training table from raw as of a point (default: the newest) and train on it.

    The derived tables are made anew by their own assets in a lake of their own. Texts come from the home's embedding
    cache, unseen ones are encoded into it; the checkpoint goes to the home's models. The home's lake is only read, and no
    release is made.

    Raises:
        WarehouseError: There is no such point, or the recomputed table is not the one that was recorded there.
    """
    home = run_context.home
    home.lake.require()
    with run_lock(home):
        past = _point(home, as_of)
        recorded = _fingerprint(home, PAIRS, past)
        if recorded is None:
            raise WarehouseError(
                f"no training table was recorded at snapshot {past}",
                "train as of another; list them with: stockroom snapshots",
            )
        with recomputed_home(home, past.snapshot) as recomputed:
            scratch = replace(run_context, home=recomputed)
            derive(scratch, "training_inputs")
            found = pairs_fingerprint(scratch)
            if found != recorded:
                raise _differs(home, recomputed, past, PAIRS, recorded, found)
            with recomputed.lake.reading() as connection:
                seen = tables.fingerprint(connection, CONTRACTS[POINT_IN_TIME])
            seen_then = _fingerprint(home, POINT_IN_TIME, past)
            if seen_then not in (None, seen):  # None: no pair has ever seen an event
                raise _differs(home, recomputed, past, POINT_IN_TIME, str(seen_then), seen)
            model_id = model_name(scratch)
            directory = home.models / model_id
            is_new = not (directory / MANIFEST_FILE).exists()
            if is_new:
                train_model(scratch, model_id, past.snapshot)
            with recomputed.lake.reading() as connection:
                rows = tables.count(connection, PAIRS)
    made = [release for release in releases_at(home, past) if release.snapshot == past.snapshot]
    used = made[-1] if made else None
    return TrainReport(
        snapshot=past.snapshot,
        ended_at=past.ended_at.isoformat(),
        training_rows=rows,
        recorded_fingerprint=recorded,
        recomputed_fingerprint=found,
        feature_view_fingerprint=seen,
        model=model_id,
        trained=is_new,
        weights_sha256=read_manifest(directory)["weights_sha256"],
        release=used.release if used else None,
        release_model=used.model_id if used else None,
        same_model=used is not None and used.model_id == model_id,
    )


def _point(home: Home, as_of: str | None) -> Point:
    """Return the as-of point that is meant; the snapshot that a checkpoint names stands for the first point after it."""
    if as_of is not None and as_of.strip().isdigit():
        named = int(as_of)
        manifests = [read_manifest(path.parent)["metadata"] for path in sorted(home.models.glob(f"*/{MANIFEST_FILE}"))]
        pairs = {manifest.get("training_pairs") for manifest in manifests if manifest["snapshot"] == named}
        later = next((each for each in points(home.lake) if each.snapshot >= named), None) if pairs else None
        if later and _fingerprint(home, PAIRS, later) in pairs:
            return later
    return point(home.lake, as_of)


def _fingerprint(home: Home, table: str, past: Point) -> str | None:
    """Return the data version that a table had at an as-of point; None if it was not there."""
    with home.lake.reading(past.snapshot) as connection:
        return tables.fingerprint(connection, CONTRACTS[table]) if tables.exists(connection, table) else None


def _differs(home: Home, recomputed: Home, past: Point, table: str, recorded: str, found: str) -> WarehouseError:
    """Return the error for a training table that is not what it was, with the number of its rows that differ."""
    contract = CONTRACTS[table]
    with home.lake.reading(past.snapshot) as then, recomputed.lake.reading() as now:
        change = plan(tables.hashes(now, contract), tables.hashes(then, contract)).counts
    return WarehouseError(
        f"{table} recomputed from raw as of snapshot {past} is not the one recorded there: fingerprint {found}, "
        f"recorded {recorded}; {change['updated']:,} rows differ, {change['inserted']:,} are new, {change['deleted']:,} missing",
        "the SQL, the cleaning or the settings (warehouse.judged_at, warehouse.validation_percent) are not those of that run: "
        "take the version and the settings that made it",
    )
