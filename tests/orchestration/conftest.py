"""The command line and its environment, run inside the test process."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from orchestration.cli import main


@dataclass(frozen=True)
class Answer:
    """What a command came to: exit status, standard output and standard error."""

    status: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for variable in os.environ:
        if variable.startswith("STOCKROOM_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("DAGSTER_HOME", "")  # what a command sets is taken back afterwards


@pytest.fixture
def stockroom(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Return what runs `stockroom ARGUMENTS` as the installed command does."""

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["stockroom", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exited:
            main()
        captured = capsys.readouterr()
        return Answer(int(exited.value.code or 0), captured.out, captured.err)

    return run
