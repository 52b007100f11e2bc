"""Declaration text: a proposal as the lines of `stockroom.toml`, each with its reason as a comment."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from warehouse.declaration.source import Source
from warehouse.sources.proposal import Proposal

_LONGEST = 100


def declaration_text(proposals: Sequence[Proposal]) -> str:
    """Return the sections of the proposed sources."""
    return "\n".join("\n".join(_lines(proposal)) + "\n" for proposal in proposals)


def _lines(proposal: Proposal) -> Iterator[str]:
    source, reasons = proposal.source, proposal.reasons
    facts = source.model_dump(exclude_defaults=True)
    yield "[[source]]"
    yield f"kind = {_value(source.kind)}"
    yield f"files = {_value(source.files)}"
    for name in ("format", "delimiter", "quoting", "encoding", "header_row", "fold_variants"):
        if name in facts:
            guess = "not UTF-8: a guess, so look at the letters" if facts[name] == "cp1252" else ""
            yield _commented(f"{name} = {_value(facts[name])}", guess)
    yield ""
    yield "[source.columns]"
    for meaning, column in facts["columns"].items():
        yield _commented(f"{meaning} = {_value(column)}", reasons.get(meaning, ""))
    for section in ("labels", "clicks"):
        if section in facts:
            yield from _section(section, facts[section], reasons)
    for attribute in source.attributes:
        yield ""
        yield "[[source.attributes]]"
        for name, value in attribute.model_dump(exclude_defaults=True).items():
            reason = reasons.get(attribute.name, "") if name == "column" else ""
            yield _commented(f"{name} = {_value(value)}", reason)
    if proposal.left_out:
        yield ""
        yield "# Left out:"
        for name, reason in proposal.left_out.items():
            yield f"# - {_one_line(name)}: {reason}"


def _section(name: str, values: dict[str, Any], reasons: Mapping[str, str]) -> Iterator[str]:
    yield ""
    yield f"[source.{name}]"
    for key, value in values.items():
        if value is not None:
            yield _commented(f"{key} = {_value(value)}", reasons.get(f"{name}.{key}", ""))


def _commented(line: str, reason: str) -> str:
    return f"{line}  # {_one_line(reason)}" if reason else line


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]


def _value(value: Any) -> str:
    """Return a value in TOML, whose texts, numbers and lists are written as in JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)


def describes(source: Source) -> str:
    """Return what a source is, in words."""
    return f"{source.kind} from {', '.join(source.files)}"
