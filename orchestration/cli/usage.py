"""Usage errors: the mistake in a command line, in one line with a hint."""

from typing import Any

import typer

from orchestration.config.plain_wording import fault


def usage_line(error: typer.TyperException) -> str | None:
    """Return the line for a command line that cannot be read; None if the help was printed in its place."""
    message, hint = _parts(error)
    if not message:
        return None
    context: Any = getattr(error, "ctx", None)
    command = context.command_path if context else "stockroom"
    help_hint = "" if "; " in message else f"; see {command} --help"
    return f"error: {message}{f'; {hint}' if hint else help_hint}"


def _parts(error: typer.TyperException) -> tuple[str, str]:
    """Return problem and hint of an error."""
    near = sorted(getattr(error, "possibilities", None) or ())
    hint = f"did you mean {', '.join(near)}?" if near else ""
    parameter = getattr(error, "param_hint", None) or _name(getattr(error, "param", None))
    causes = _validation_errors(error.__cause__)
    if causes:
        text = fault(causes[0])
        return f"{parameter} {text}, not {causes[0]['input']!r}" if text.startswith(
            "must "
        ) else f"{parameter}: {text}", hint
    if isinstance(error, typer.BadParameter) and error.message:
        return f"{parameter}: {error.message}" if parameter else error.message, hint
    text = error.message if near else error.format_message()
    message, _, more = " ".join(text.split()).removesuffix(".").partition(". ")
    return _lower(message), hint or _lower(more)


def _name(parameter: Any) -> str:
    """Return an option as it is typed, or an argument's word in the help."""
    if parameter is None:
        return ""
    options = [each for each in parameter.opts if each.startswith("-")]
    return str(options[0] if options else parameter.metavar or parameter.name.upper())


def _validation_errors(cause: BaseException | None) -> list[dict[str, Any]]:
    errors = getattr(cause, "errors", None)
    return list(errors()) if callable(errors) else []


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
