"""`stockroom tune`: searches for better settings on the validation split."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, write_json
from orchestration.cli.progress_bars import progress
from warehouse.wording import counted


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("tune")(tune)


def tune(
    trials: Annotated[
        int, typer.Option("--trials", min=1, metavar="N", help="Number of trials to add to the study.")
    ] = 20,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try settings of towers and training on the data of the last build, and print the best as lines for stockroom.toml.

    A trial trains on the train split. Its score is recall@10 + mrr of the validation queries, over the full catalog; the test
    split is not used. The home keeps the study, and a later call continues it. The table evaluation.trials has all trials.
    Nothing is published: put the lines into stockroom.toml, then run `stockroom build`, and the gate judges the new model.
    """
    settings = settings_for(home)
    with progress() as announce:
        from orchestration.commands.tune import tune as run
        from orchestration.config.open_context import open_run_context

        report = run(replace(open_run_context(settings), show_progress=announce), trials)
    if as_json:
        write_json(report)
        return
    best, first = report["best"], report["first"]
    console.print(
        f"# best of {counted(report['trials'], 'trial')} is trial {best['trial']}: recall@10 {best['recall_at_10']:.4f}, mrr "
        f"{best['mrr']:.4f} on validation; trial {first['trial']} had {first['recall_at_10']:.4f} and {first['mrr']:.4f}",
        highlight=False,
        soft_wrap=True,
    )
    console.print(toml(report["settings"]), highlight=False, markup=False)


def toml(settings: dict[str, dict[str, Any]]) -> str:
    """Return settings (section to name to number) as lines of TOML."""
    return "\n".join(
        f"[{section}]\n" + "\n".join(f"{name} = {value!r}" for name, value in values.items())
        for section, values in settings.items()
    )
