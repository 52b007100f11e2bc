"""The command line and its environment, run inside the test process, and a browser."""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from models.encoder.fingerprint import encoder_fingerprint
from models.settings import EncoderSettings
from orchestration.cli import main

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]


@dataclass(frozen=True)
class Answer:
    """What a command came to: exit status, standard output and standard error."""

    status: int
    out: str
    err: str


class WordEncoder:
    """Encode a text as the sum of a fixed random vector for each of its words: the real encoder takes half a minute to load."""

    dim = 32

    def __init__(self, settings: EncoderSettings, _folder: object = None) -> None:
        self.fingerprint = encoder_fingerprint(settings)

    def describe(self) -> dict[str, Any]:
        return {}

    def unknown_shares(self, texts: Sequence[str]) -> Any:
        return np.zeros(len(texts))

    def encode(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> Any:
        if on_progress:
            on_progress(len(texts))
        sums = np.array([self._sum(text) for text in texts], np.float32).reshape(len(texts), self.dim)
        return sums / np.linalg.norm(sums, axis=1, keepdims=True)

    def _sum(self, text: str) -> Any:
        seeds = (int.from_bytes(sha256(word.encode()).digest()[:8]) for word in text.lower().split())
        return sum((np.random.default_rng(seed).standard_normal(self.dim) for seed in seeds), np.full(self.dim, 1e-3))


@pytest.fixture(scope="module")
def word_encoder() -> Iterator[None]:
    """Let the module's builds and searches encode with `WordEncoder`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        patch.setattr("models.encoder.loading.load_encoder", WordEncoder)
        patch.setattr("orchestration.serving.open_release.load_encoder", WordEncoder)
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Return a headless Chromium that contacts nobody by itself."""
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


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
