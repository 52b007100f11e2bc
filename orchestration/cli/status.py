"""`stockroom status`: the live release, the lake and the last run."""

from typing import Annotated, Any

import typer

from orchestration.cli.encoder_output import show_unknown
from orchestration.cli.judgement_output import show_judged
from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, show_fact, show_outside, show_rows, write_json
from orchestration.cli.relevance_output import show_gate
from warehouse.wording import counted

_RUNS = {
    "in progress": "a run is in progress: the lake has the data that the run wrote, and searches answer as before until it ends",
    "unfinished": "the last run did not end: the data that the run wrote is in the lake, and searches do not see it; "
    "stockroom build completes the run",
}
NOUNS = {
    "staging.products": ("product",),
    "staging.queries": ("query", "queries"),
    "staging.judgements": ("judgement",),
    "quarantine.rows": ("quarantined", "quarantined"),
}
"""The noun of a row of each table that says how large a catalog is, and its plural."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("status")(status)


def status(
    show_all: Annotated[bool, typer.Option("--all", help="Show the rows of every table, empty ones too.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the live release: number, model, encoder, snapshot, rows, and the texts that the last run encoded.

    Also show the gate's result: of a new model that the last run refused, else of the live model. And show whether the lake
    is ahead of the live release: after a rollback, or after a run that did not end.
    """
    from orchestration.commands.status import status as facts_of
    from orchestration.config.open_home import open_home

    settings = settings_for(home)
    facts = facts_of(open_home(settings), settings.training, settings.release)
    if as_json:
        write_json(facts)
    else:
        show(facts, settings.encoder.model, every_table=show_all)
        if show_all:
            console.print()
            show_rows(
                ["table", "rows"], [[table, f"{count:,}"] for table, count in facts["rows"].items()], numbers=["rows"]
            )


def show(facts: dict[str, Any], encoder: str, *, every_table: bool) -> None:
    """Print the status for people."""
    if facts["release"] is None:
        show_fact("release", "none yet: publish one with stockroom build")
    else:
        note = f"; {facts['note']}" if facts["note"] else ""
        show_fact("release", f"{facts['release']}, live since {facts['published_at']}{note}")
        show_fact("model", facts["model"])
        show_fact("encoder", facts["encoder"])
        show_fact("snapshot", f"{facts['release_snapshot']}")
    ahead = f"; at snapshot {facts['snapshot']}, which is not yet live" if facts["is_ahead"] else ""
    more = "" if every_table else " (every table: stockroom status --all)"
    show_fact("lake", f"{rows_text(facts['rows'])}{ahead}{more}")
    show_fact("encoded", f"{counted(facts['texts_encoded'], 'text')} by the last run")
    show_unknown(facts["unknown_tokens"], encoder)
    show_judged(facts["judged"])
    if facts["gate"]:
        show_gate(facts["gate"])
    show_outside(facts["rows_outside"], is_due=facts["needs_reindex"])
    if facts["run"]:
        show_fact("run", _RUNS[facts["run"]], "yellow")


def rows_text(rows: dict[str, int]) -> str:
    """Return the row counts that say how large a catalog is."""
    return ", ".join(counted(rows.get(table, 0), *nouns) for table, nouns in NOUNS.items())
