"""Options that several commands share, and the settings that they select."""

from pathlib import Path
from typing import Annotated

import typer

from orchestration.config.settings import Settings, load_settings


def path_from(text: str) -> Path:
    """Return the path that a user typed; an empty one would silently mean the working directory."""
    if not text:
        raise typer.BadParameter("the path is empty; name one (the working directory is .)")
    return Path(text)


HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        parser=path_from,
        help="Directory that holds everything. [env: STOCKROOM_HOME; default: .stockroom]",
    ),
]
NewestOption = Annotated[
    int | None, typer.Option("--limit", min=1, metavar="N", help="Show the newest N alone. Default: all of them.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON to standard output, for programs.")]
AllowLossOption = Annotated[
    bool,
    typer.Option(
        "--allow-loss",
        help="Let the files take more rows out of the catalog than the setting warehouse.max_loss_share (half).",
    ),
]

_global_home: Path | None = None


def remember_home(home: Path | None) -> None:
    """Keep the `--home` that stood before the command."""
    global _global_home
    _global_home = home


def settings_for(home: Path | None) -> Settings:
    """Return the settings for the `--home` after the command, else before it, else of the environment."""
    return load_settings(home or _global_home)
