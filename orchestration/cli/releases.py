"""`stockroom releases`: what was live, and what can be gone back to."""

import json
from dataclasses import asdict

import typer

from orchestration.cli import releases_diff
from orchestration.cli.options import HomeOption, JsonOption, NewestOption, settings_for
from orchestration.cli.output import console, write_json


def register(app: typer.Typer) -> None:
    """Add the command to the application: alone it lists, and `diff` stands below it."""
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

    The first one is live. `stockroom rollback N` makes another live again, unless it says what of it was cleaned up;
    `stockroom releases diff A B` compares two. In SQL: vectors.releases.
    """
    if context.invoked_subcommand:
        return
    from orchestration.config.open_context import open_home
    from warehouse.history.checkpoints import utc
    from warehouse.operations.rollback import unservable_reason

    opened = open_home(settings_for(home))
    opened.lake.require()
    found = opened.releases.all()[::-1]
    listed = [(each, unservable_reason(opened, each)) for each in (found[:limit] if limit else found)]
    if as_json:
        write_json(
            [
                {
                    **asdict(each),
                    "published_at": utc(each.published_at),
                    "metrics": json.loads(each.metrics),
                    "live": each == found[0],
                    "gone": gone,
                }
                for each, gone in listed
            ]
        )
        return
    if not listed:
        console.print("There is no release yet: stockroom build --raw DIR", markup=False)
        return
    for each, gone in listed:
        mark = "  [bold green]live[/bold green]" if each == found[0] else ""
        console.print(f"[bold]{each.release}[/bold]  {utc(each.published_at)}  {each.kind}{mark}", highlight=False)
        of = f"    model {each.model_id}, vectors v{each.vector_version} of {each.vector_table}, snapshot {each.snapshot}"
        console.print(of, highlight=False, soft_wrap=True)
        for line in filter(None, (each.note, f"cleaned up: {gone}" if gone else "")):
            console.print(f"    {line}", highlight=False, markup=False, soft_wrap=True)
