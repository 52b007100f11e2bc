"""`stockroom export`: the model, for use without Stockroom."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, path_from, settings_for
from orchestration.cli.output import console, write_json
from orchestration.cli.progress_bars import progress
from warehouse.wording import counted


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("export")(export)


def export(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", parser=path_from, help="Folder to write; it must be new or empty.")
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace the files in the folder.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the live release's model as a folder for sentence-transformers, with a model card.

    `SentenceTransformer(DIR)` loads the folder without Stockroom: `encode_query` encodes queries, `encode_document` encodes
    the texts of products. The exported model reads texts alone. The mean contribution of the features replaces them, and the
    card names them.
    """
    settings = settings_for(home)
    with progress() as announce:
        announce("exporting", None)
        from orchestration.commands.export_model import export_release
        from orchestration.config.open_context import open_run_context

        report = export_release(open_run_context(settings), directory, force=force)
    if as_json:
        write_json(asdict(report))
        return
    console.print(
        f"{directory}: release {report.release}, model {report.model}, {report.size_mb:.0f} MB; in sentence-transformers its "
        f"vectors of {counted(report.texts_compared, 'text')} differ from the towers' by at most {report.largest_difference:.0e}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if report.relevance:
        labels = {"encoder": "encoder", "export": "texts alone", "model": "with features"}
        means = ", ".join(f"{label} {report.relevance[name]['recall@10'] or 0:.4f}" for name, label in labels.items())
        console.print(f"recall@10 on the test split: {means}", highlight=False)
