"""`stockroom train`: trains the model of an old snapshot again."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import show_fact, write_json
from orchestration.cli.progress_bars import progress
from warehouse.wording import counted

if TYPE_CHECKING:
    from orchestration.commands.train import TrainReport


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("train")(train)


def train(
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="SNAPSHOT|TIME",
            help="Train as of this checkpoint (stockroom snapshots lists them), the newest one at a time in ISO 8601, or "
            "the snapshot that a model's model.json names. Default: the newest checkpoint.",
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute the training table from raw as of a snapshot, check that it equals the recorded one, and train on it.

    Every table between raw and the model is recomputed outside the lake, which is only read. The table's fingerprint is
    compared with the one recorded when the run ended; if they differ, the code or the settings have changed, and nothing
    is trained. The checkpoint goes to models/ID in the home. It is not published: `stockroom build` does that.
    """
    settings = settings_for(home)
    with progress() as announce:
        announce("starting", None)
        from orchestration.commands.train import train as run
        from orchestration.config.open_context import open_run_context

        report = run(replace(open_run_context(settings), show_progress=announce), as_of)
    if as_json:
        write_json(asdict(report))
        return
    facts = {
        "snapshot": f"{report.snapshot} ({report.ended_at})",
        "pairs": f"{counted(report.training_rows, 'row')} of training.pairs, recomputed from raw: "
        f"{report.recomputed_fingerprint}, as recorded",
        "events": ""
        if report.feature_view_fingerprint.startswith("0-")  # no pair sees an event
        else f"training.point_in_time, recomputed too: {report.feature_view_fingerprint}",
        "model": f"{report.model}, {'trained now' if report.trained else 'there already: not trained again'}",
        "weights": f"sha256 {report.weights_sha256}",
        "release": _release(report),
    }
    for name, value in facts.items():
        if value:
            show_fact(name, value)


def _release(report: "TrainReport") -> str:
    if report.release is None:
        return "none was made from this snapshot"
    if report.same_model:
        return f"{report.release}, made from this snapshot, used this very model"
    if report.release_kind != "model":
        return f"{report.release}, made from this snapshot, continues with the model {report.release_model} of an earlier one"
    return (
        f"{report.release}, made from this snapshot, used another model, {report.release_model}: same training table, but "
        "other settings, encoder or tower inputs than now"
    )
