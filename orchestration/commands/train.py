"""Train again: train a model from the raw tables as of a snapshot, without publishing it."""

from dataclasses import dataclass, replace

from assets.run_context import RunContext
from assets.services.model_training import model_name, pairs_fingerprint, train_model
from models.towers.checkpoint_files import MANIFEST_FILE, read_manifest
from orchestration.instance.locks import run_lock
from orchestration.runs.derive import derive
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.history.checkpoints import Checkpoint, find_checkpoint, list_checkpoints
from warehouse.home import Home
from warehouse.lake import tables
from warehouse.lake.reconcile import plan
from warehouse.operations.release_views import releases_at
from warehouse.operations.scratch_home import recomputed_home
from warehouse.wording import counted

PAIRS, POINT_IN_TIME = "training.pairs", "training.point_in_time"


@dataclass(frozen=True)
class TrainReport:
    """Report the recomputed tables as of a snapshot, and the model.

    `trained` is false if a model of the same inputs existed already. `release`, `release_model` and `release_kind` are of the
    release that was made from the snapshot, if any; `same_model` says whether it used this model. `feature_view_fingerprint`
    is that of the recomputed training.point_in_time (the event that each pair sees); it equals the recorded one, if there
    is one.
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
    release_kind: str | None
    same_model: bool


def train(run_context: RunContext, as_of: str | None = None) -> TrainReport:
    """Recompute the training table from raw as of a checkpoint (default: the newest) and train on it.

    The derived tables are recomputed by their own assets in a scratch lake. Text vectors come from the home's embedding
    cache; new texts are encoded into it. The checkpoint goes to the home's models. The home's lake is only read, and no
    release is made.

    Raises:
        WarehouseError: There is no such checkpoint, or a recomputed table differs from the one that was recorded there.
    """
    home = run_context.home
    home.lake.require()
    with run_lock(home):
        checkpoint = _checkpoint(home, as_of)
        recorded = _fingerprint(home, PAIRS, checkpoint)
        if recorded is None:
            raise WarehouseError(
                f"no training table was recorded at snapshot {checkpoint}",
                "choose another snapshot; list the snapshots with: stockroom snapshots",
            )
        with recomputed_home(home, checkpoint.snapshot) as recomputed:
            scratch = replace(run_context, home=recomputed)
            derive(scratch, "training_inputs")
            pairs = pairs_fingerprint(scratch)
            if pairs != recorded:
                raise _mismatch(home, recomputed, checkpoint, PAIRS, recorded, pairs)
            with recomputed.lake.reading() as connection:
                events = tables.fingerprint(connection, CONTRACTS[POINT_IN_TIME])
            recorded_events = _fingerprint(home, POINT_IN_TIME, checkpoint)
            if recorded_events not in (None, events):  # None: no pair had an event yet
                raise _mismatch(home, recomputed, checkpoint, POINT_IN_TIME, str(recorded_events), events)
            model_id = model_name(scratch)
            directory = home.models / model_id
            is_new = not (directory / MANIFEST_FILE).exists()
            if is_new:
                train_model(scratch, model_id, checkpoint.snapshot)
            with recomputed.lake.reading() as connection:
                rows = tables.count(connection, PAIRS)
    releases = [release for release in releases_at(home, checkpoint) if release.snapshot == checkpoint.snapshot]
    newest = releases[-1] if releases else None
    return TrainReport(
        snapshot=checkpoint.snapshot,
        ended_at=checkpoint.ended_at.isoformat(),
        training_rows=rows,
        recorded_fingerprint=recorded,
        recomputed_fingerprint=pairs,
        feature_view_fingerprint=events,
        model=model_id,
        trained=is_new,
        weights_sha256=read_manifest(directory)["weights_sha256"],
        release=newest.release if newest else None,
        release_model=newest.model_id if newest else None,
        release_kind=newest.kind if newest else None,
        same_model=newest is not None and newest.model_id == model_id,
    )


def _checkpoint(home: Home, as_of: str | None) -> Checkpoint:
    """Return the requested checkpoint; for a snapshot that a model's manifest names, the first checkpoint from there on."""
    if as_of is not None and as_of.strip().isdigit():
        snapshot = int(as_of)
        manifests = [read_manifest(path.parent)["metadata"] for path in sorted(home.models.glob(f"*/{MANIFEST_FILE}"))]
        pairs = {manifest.get("training_pairs") for manifest in manifests if manifest["snapshot"] == snapshot}
        later = (
            next((each for each in list_checkpoints(home.lake) if each.snapshot >= snapshot), None) if pairs else None
        )
        if later and _fingerprint(home, PAIRS, later) in pairs:
            return later
    return find_checkpoint(home.lake, as_of)


def _fingerprint(home: Home, table: str, checkpoint: Checkpoint) -> str | None:
    """Return a table's data version at a checkpoint; None if the table did not exist."""
    with home.lake.reading(checkpoint.snapshot) as connection:
        return tables.fingerprint(connection, CONTRACTS[table]) if tables.exists(connection, table) else None


def _mismatch(
    home: Home, recomputed: Home, checkpoint: Checkpoint, table: str, recorded: str, fingerprint: str
) -> WarehouseError:
    """Return the error for a recomputed training table that differs from the recorded one, with row counts."""
    contract = CONTRACTS[table]
    with home.lake.reading(checkpoint.snapshot) as old, recomputed.lake.reading() as new:
        change = plan(tables.hashes(new, contract), tables.hashes(old, contract)).counts
    return WarehouseError(
        f"{table} recomputed from raw as of snapshot {checkpoint} is not the one recorded there: fingerprint {fingerprint}, "
        f"recorded {recorded}; {counted(change['updated'], 'row differs', 'rows differ')}, {change['inserted']:,} new, "
        f"{change['deleted']:,} missing",
        "the SQL, the cleaning or the settings (warehouse.judged_at, warehouse.validation_percent) are not those of that run: "
        "use the version of Stockroom and the settings of that run",
    )
