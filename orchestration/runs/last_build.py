"""The last build: what it was made from and what it left in the home. While neither changes, another build does nothing."""

import json
from datetime import UTC, datetime
from hashlib import sha256 as sha256_of
from pathlib import Path
from typing import Any

import assets
import models
import orchestration
import warehouse
from assets.run_context import RunContext
from models.encoder.loading import encoder_fingerprint
from warehouse.history.checkpoints import content_snapshot, list_checkpoints
from warehouse.home import Home
from warehouse.ingest.full_snapshot import are_ingested
from warehouse.ingest.sources import InputFile
from warehouse.readers.file_hash import sha256

_RECORD = "last_build.json"
_FOLDERS = ("lake/data", "models", "rankers", "vectors")
_PACKAGES = (orchestration, assets, models, warehouse)


def report_of_same(home: Home, inputs: str, files: list[InputFile]) -> dict[str, Any] | None:
    """Return the report of the last build if another one of these inputs and raw files would make what is there; else None."""
    path = home.root / _RECORD
    if not path.is_file():
        return None
    try:
        last = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # a power failure cut the file short
        return None
    is_same = (last["inputs"], last["state"]) == (inputs, _state(home)) and are_ingested(home.lake, files)
    return last["report"] if is_same else None


def record(home: Home, inputs: str, report: dict[str, Any]) -> None:
    """Record a build that ended: its inputs as they were before it, and its report. The file is replaced atomically."""
    path = home.root / _RECORD
    draft = path.with_name(f"{_RECORD}.draft")
    content = {"inputs": inputs, "state": _state(home), "report": report}
    draft.write_text(json.dumps(content, default=str), encoding="utf-8")
    draft.replace(path)


def inputs_of(run_context: RunContext, files: list[InputFile]) -> str:
    """Return the digest of all that decides a build's results: day, code, settings, encoder, and the files it reads.

    Two days (UTC) differ, since assets become stale in Dagster and events of the future become known.
    """
    home = run_context.home
    settings = (
        home.settings,
        home.feature_views,
        run_context.sources,
        run_context.tower,
        run_context.training,
        run_context.mining,
        run_context.bm25,
        run_context.ranking,
        run_context.monitoring,
        run_context.release,
        run_context.encoder,
    )
    view_files = [home.view_folder(view) / view.file for view in home.feature_views]
    views = [sha256(path) if path.is_file() else None for path in view_files]
    raw = [(file.source_spec.table, file.input_hash) for file in files]
    parts = (datetime.now(UTC).date(), _code(), settings, encoder_fingerprint(run_context.encoder), views, raw)
    return sha256_of(repr(parts).encode()).hexdigest()


def _state(home: Home) -> dict[str, Any]:
    """Return the lake's snapshot and last checkpoint, and the digest of the names and sizes of the home's other files."""
    checkpoints = list_checkpoints(home.lake)
    listing = [_listing(home.root / folder) for folder in _FOLDERS]
    return {
        "snapshot": content_snapshot(home.lake),
        "checkpoint": checkpoints[-1].snapshot if checkpoints else None,
        "files": sha256_of(repr((listing, home.online.path.is_file())).encode()).hexdigest(),
    }


def _code() -> str:
    """Return the digest of Stockroom's own code, SQL included."""
    folders = [Path(folder) for package in _PACKAGES for folder in package.__path__]
    paths = sorted(path for folder in folders for ending in ("*.py", "*.sql") for path in folder.rglob(ending))
    code = sha256_of()
    for path in paths:
        code.update(path.read_bytes())
    return code.hexdigest()


def _listing(folder: Path) -> list[tuple[str, int]]:
    """Return the names and sizes in bytes of the files below a folder, sorted."""
    return sorted((str(path.relative_to(folder)), path.stat().st_size) for path in folder.rglob("*") if path.is_file())
