"""Declare sources: propose them from files, check them, and write them into the settings file of a home."""

import os
from collections.abc import Sequence
from dataclasses import replace
from glob import glob
from math import ceil
from pathlib import Path

from models.settings import DEFAULT_LANGUAGE, DEFAULT_MODEL
from orchestration.config.open_home import open_home
from orchestration.config.settings import FILE_NAME, Settings
from warehouse.conversion.clicks import NothingExactError
from warehouse.declaration.source import Source
from warehouse.errors import WarehouseError
from warehouse.ingest.source_check import SourceReport, check_delta_files, check_sources
from warehouse.ingest.sources import ESCI_SOURCES, esci_folder
from warehouse.paths import require_writable
from warehouse.readers.file_advice import no_file
from warehouse.sources.declaration_text import declaration_text
from warehouse.sources.declared_match import matching_sources
from warehouse.sources.delta import is_delta
from warehouse.sources.prepared import decimal_signs
from warehouse.sources.proposal import Proposal, propose
from warehouse.wording import counted


def propose_sources(paths: Sequence[Path], home: Path, encoding: str | None = None) -> list[Proposal]:
    """Propose sources for files or patterns, named relative to the home where they lie in it or beside it.

    Raises:
        WarehouseError: A file cannot be read, or no column tells what it is.
    """
    files = _files(paths)
    return propose(files, [_name(path, home) for path in files], encoding)


def folder_of_esci(paths: Sequence[Path]) -> Path | None:
    """Return the folder of files or patterns that need no declaration, since they have the form of ESCI; None for others."""
    return esci_folder(_files(paths))


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        matches = [path] if path.is_file() else sorted(map(Path, glob(str(path))))
        if not matches or not all(match.is_file() for match in matches):
            other = next((match for match in matches if not match.is_file()), path)
            raise no_file(other, "give the files themselves, such as products.csv")
        files += [match for match in matches if match not in files]
    return files


def _name(path: Path, home: Path) -> str:
    file, root = path.absolute(), home.absolute()
    return os.path.relpath(file, root) if file.is_relative_to(root.parent) else str(file)


def write_sources(proposals: Sequence[Proposal], home: Path) -> Path:
    """Write proposed sources at the end of the settings file of a home, and return its path.

    Raises:
        WarehouseError: The file declares sources already, or cannot be written.
    """
    path = home / FILE_NAME
    require_writable(home)
    before = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    if "[[source]]" in before:
        raise WarehouseError(
            f"{path} declares sources already", "edit that file, or delete its [[source]] sections first"
        )
    home.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    text = declaration_text(proposals)
    draft.write_text(f"{before.rstrip()}\n\n{text}" if before.strip() else text, encoding="utf-8")
    draft.replace(path)
    return path


def check_proposals(proposals: Sequence[Proposal], settings: Settings) -> tuple[list[Proposal], SourceReport]:
    """Read the files of proposed sources as a build does; write nothing.

    Returns:
        The proposals, those of a click log with a rule by which some pair is Exact, and the report.
    """
    home, bounds = settings.home.absolute(), settings.warehouse
    proposals = list(proposals)
    while True:
        sources = [proposal.source for proposal in proposals]
        try:
            report = check_sources(sources, home, bounds.memory_gb, bounds.batch_rows)
            return proposals, _with_advice(report, settings)
        except NothingExactError as error:
            fitted = [_fitted(proposal, error) for proposal in proposals]
            if all(each is before for each, before in zip(fitted, proposals, strict=True)):
                raise
            proposals = fitted


def _fitted(proposal: Proposal, error: NothingExactError) -> Proposal:
    """Return a proposal with the rule by which some pair of its click log is Exact."""
    source = proposal.source
    if source.kind != "clicks" or source.files != error.files or not error.rule:
        return proposal
    rule = source.clicks.model_copy(update=error.rule)
    reasons = {f"clicks.{name}": "the default makes no pair Exact; a lower value makes more" for name in error.rule}
    return replace(proposal, source=source.model_copy(update={"clicks": rule}), reasons={**proposal.reasons, **reasons})


def _with_what_they_name(matched: Sequence[Source], declared: Sequence[Source]) -> tuple[Source, ...]:
    """Return sources of given files with the declared sources of the products and queries that they name by id."""
    kinds = {source.kind for source in matched}
    more: list[Source] = []
    if "products" not in kinds:
        more += [source for source in declared if source.kind in ("products", "details")]
    if "judgements" in kinds and "queries" not in kinds:
        more += [source for source in declared if source.kind == "queries"]
    return (*matched, *(source for source in more if source not in matched))


def check(settings: Settings, paths: Sequence[Path] = ()) -> SourceReport:
    """Read the declared files, or given files of the same shape, as a build does, and delta files as an apply; write nothing.

    Without a declaration the given files are read as `init` would declare them, and without files the ESCI folder `raw`.

    Raises:
        WarehouseError: A file is missing, has another shape, or lacks declared columns; the message names all of them.
    """
    home = settings.home.absolute()
    base = (settings.raw or home).absolute()
    sources, bounds = settings.source, settings.warehouse
    if paths and all(path.is_file() and is_delta(path, sources) for path in paths):
        signs = decimal_signs(open_home(settings).prepared_sources)
        return check_delta_files(paths, sources, bounds.memory_gb, bounds.batch_rows, decimal_signs=signs)
    if paths and sources:
        sources = _with_what_they_name(matching_sources(sources, paths), sources)
    elif paths and (folder := folder_of_esci(paths)):
        sources, base = ESCI_SOURCES, folder
    elif paths:
        sources = tuple(proposal.source for proposal in propose_sources(paths, home))
        base = home
    elif not sources and settings.raw is not None:
        sources = ESCI_SOURCES
    if not sources:
        raise WarehouseError(
            "nothing to check: no source is declared", "give files, or declare them: stockroom init FILES"
        )
    report = check_sources(sources, base, bounds.memory_gb, bounds.batch_rows, may_lack=bool(paths))
    return _with_advice(report, settings)


def _with_advice(report: SourceReport, settings: Settings) -> SourceReport:
    """Return a report with a note where the encoder learned another language, or the judgements are too few for a model."""
    notes = list(report.notes)
    others = sorted(set(report.languages) - {DEFAULT_LANGUAGE})
    if others and settings.encoder.model == DEFAULT_MODEL:
        notes.append(
            f"the encoder {DEFAULT_MODEL} learned English, and titles are in {', '.join(others)}: take a multilingual one, "
            "STOCKROOM_ENCODER__MODEL=FOLDER of sentence-transformers"
        )
    needed = ceil(settings.training.min_queries * 100 / (100 - settings.warehouse.validation_percent))
    if report.train_queries is not None and report.train_queries < needed:
        notes.append(
            f"{counted(report.train_queries, 'train query has', 'train queries have')} an Exact product, and a model needs "
            f"{needed:,}: until then the encoder and the words rank"
        )
    return replace(report, notes=tuple(notes))
