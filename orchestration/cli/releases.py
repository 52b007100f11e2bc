"""`stockroom releases`: the releases, and which of them a rollback can restore."""

import json
from dataclasses import asdict

import typer

from orchestration.cli import releases_diff
from orchestration.cli.options import HomeOption, JsonOption, NewestOption, settings_for
from orchestration.cli.output import console, show_fact, show_title, write_json

_INDENT = 4


def register(app: typer.Typer) -> None:
    """Add the command to the application: it lists releases, and `diff` is its subcommand."""
    group = typer.Typer(invoke_without_command=True, rich_markup_mode="markdown")
    group.callback()(releases)
    releases_diff.register(group)
    app.add_typer(group, name="releases")


def releases(
    context: typer.Context,
    limit: NewestOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the releases, newest first: when each was published and why, with which model, vectors and snapshot.

    The first one is live. `stockroom rollback N` makes another live again, unless its data was cleaned up;
    `stockroom releases diff A B` compares two. In SQL: vectors.releases.
    """
    if context.invoked_subcommand:
        return
    from orchestration.config.open_home import open_home
    from warehouse.history.checkpoints import utc
    from warehouse.operations.rollback import unservable_reason

    opened = open_home(settings_for(home))
    opened.lake.require()
    newest_first = opened.releases.all()[::-1]
    rows = [(each, unservable_reason(opened, each)) for each in (newest_first[:limit] if limit else newest_first)]
    if as_json:
        write_json(
            [
                {
                    **asdict(each),
                    "published_at": utc(each.published_at),
                    "metrics": json.loads(each.metrics),
                    "live": each == newest_first[0],
                    "gone": reason,
                }
                for each, reason in rows
            ]
        )
        return
    if not rows:
        console.print("There is no release yet: stockroom build --raw DIR", markup=False)
        return
    for each, reason in rows:
        mark = "  live" if each == newest_first[0] else ""
        show_title(f"{each.release}  {utc(each.published_at)}  {each.kind}{mark}")
        of = f"model {each.model_id}, vectors v{each.vector_version} of {each.vector_table}, snapshot {each.snapshot}"
        for line in filter(None, (of, each.note, f"cleaned up: {reason}" if reason else "")):
            show_fact("", line, width=_INDENT)
