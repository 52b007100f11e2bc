"""`stockroom build`: the whole pipeline."""

import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.encoder_output import show_unknown
from orchestration.cli.judgement_output import show_judged, show_known_items
from orchestration.cli.options import AllowLossOption, HomeOption, JsonOption, path_from, settings_for
from orchestration.cli.output import console, show_fact, show_next, write_json
from orchestration.cli.progress_bars import progress
from orchestration.cli.quarantine_output import show_quarantined
from orchestration.cli.relevance_output import show_gate, show_relevance, show_trust
from orchestration.cli.status import NOUNS, rows_text
from warehouse.wording import counted

if TYPE_CHECKING:
    from orchestration.commands.build import BuildReport


_STAGES = 3
"""The number of the slowest stages that are named."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("build")(build)


def build(
    raw: Annotated[
        Path | None,
        typer.Option(
            "--raw",
            metavar="DIR",
            parser=path_from,
            help="Folder of the ESCI files, or of the files that stockroom.toml declares. Default: the home for "
            "declared files, and without declared files the data in the lake.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Publish the new model even if the gate refuses it; the release says so."),
    ] = False,
    allow_loss: AllowLossOption = False,
    compare_all: Annotated[
        bool,
        typer.Option(
            "--compare-all", help="Compare every table row by row, whatever changed: repairs what was changed by hand."
        ),
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the whole pipeline: clean, make features, train, embed, evaluate, release.

    Only new data is processed: unchanged rows are not cleaned again, known texts are not encoded again, and a run without
    changes writes nothing. The run is recorded in the Dagster instance that `stockroom ui` shows. A build of the same files
    with the same settings starts no run, unless it is the first of a day (UTC) or `--compare-all` is given.

    A new model goes live only if the gate lets it through: the lower end of the 95 % interval of its validation recall@10
    minus the live model's must lie above minus the setting release.gate_margin. Else the live model stays, with the current
    catalog.

    A folder that would remove more than half of the products or judgements (the setting warehouse.max_loss_share) is
    refused before anything is written, unless `--allow-loss` permits it. A folder that would leave no
    product is always refused; one without judgements is searched by the encoder and words.
    """
    settings = settings_for(home)
    with progress() as announce:
        announce("starting", None)
        from orchestration.commands.build import build as run
        from orchestration.config.open_context import open_run_context

        run_context = replace(
            open_run_context(settings),
            show_progress=announce,
            force=force,
            allow_loss=allow_loss,
            compare_all=compare_all,
        )
        report = run(run_context, raw or settings.raw)
    if as_json:
        write_json(asdict(report))
    else:
        show(report, settings.home, settings.encoder.model)


def show(report: "BuildReport", home: Path, encoder: str) -> None:
    """Print the summary of a build: on one screen the rows, the refused rows, the model's metrics, and the release."""
    show_fact("rows", f"{rows_text(report.rows)}")
    show_quarantined(report.quarantined)
    for warning in report.warnings:
        show_fact("warning", warning, "yellow")
    if report.pair_coverage:
        coverage = ", ".join(f"{table} {share:.0%}" for table, share in report.pair_coverage.items())
        show_fact("coverage", f"judged pairs that see a value: {coverage}")
    show_unknown(report.unknown_tokens, encoder)
    show_measured(report)
    if report.seconds:
        slowest = sorted(report.seconds.items(), key=lambda item: -item[1])[:_STAGES]
        stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in slowest)
        show_fact("seconds", f"{sum(report.seconds.values()):.1f}: {stages}, …")
    show_new(report)
    if report.gate:
        show_gate(report.gate)
    if report.new_release:
        of = f"model {report.model}, vectors v{report.vector_version}, snapshot {report.snapshot}"
        show_fact("release", f"{report.release}: {of}")
        show_next(f'stockroom search "…" --home {shlex.quote(str(home))}')
    elif report.changed:
        stays = f"{report.release} stays live, model {report.model}"
        show_fact("release", f"{stays}: searches answer as before; the lake is at snapshot {report.snapshot}")
    else:
        show_fact(
            "release",
            f"{report.release} stays live. Nothing changed: 0 texts encoded, no new snapshot (still {report.snapshot}), no new "
            f"vectors (still v{report.vector_version})",
        )


def show_new(report: "BuildReport") -> None:
    """Print the number of new rows that were cleaned and of new texts that were encoded."""
    cleaned = ", ".join(counted(count, *NOUNS[table]) for table, count in report.cleaned.items())
    show_fact("new", f"{cleaned} cleaned; {counted(report.texts_encoded, 'text')} encoded")


def show_measured(report: "BuildReport") -> None:
    """Print the rankers side by side, the number of queries, and how certain the model's leads are.

    Where no test query is judged, print the searches for known products.
    """
    relevance = report.relevance
    show_judged(report.judged)
    if not relevance["rankers"]:
        show_fact("relevance", "not measured: no judgement is in the test split")
        if report.known_items:
            console.print()
            show_known_items(report.known_items)
            console.print()
        return
    console.print()
    show_relevance(
        relevance, f"relevance on {counted(relevance['rankers']['model']['queries'], 'test query', 'test queries')}"
    )
    show_trust(relevance)
