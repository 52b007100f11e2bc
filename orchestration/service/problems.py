"""Problems: every answer that is not a success has one form, application/problem+json of RFC 9457."""

import http.client
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from models.errors import ModelError
from orchestration.config.plain_wording import fault
from warehouse.errors import LockedError, UnknownKeyError, WarehouseError
from warehouse.paths import is_writable

MEDIA_TYPE = "application/problem+json"
CLOSE = {"connection": "close"}
"""The header that ends a connection whose body was not read to its end."""

_LISTS = ("facets",)  # the parameters that may be repeated
_MOST_CHARS = 200  # of a value that is quoted


class FieldFault(BaseModel):
    """One field of a request that cannot be used."""

    field: str = Field(description="The field.", examples=["k"])
    fault: str = Field(description="What is wrong with it.", examples=["must be at least 1"])


class ProblemAnswer(BaseModel):
    """An answer that is not a success: the problem, and what to do about it."""

    type: str = Field("about:blank", description="Always about:blank: the status says which kind of problem it is.")
    title: str = Field(description="The status in words.", examples=["Unprocessable Content"])
    status: int = Field(description="The status of the answer.", examples=[422], ge=400, le=599)
    detail: str = Field(description="The problem.", examples=["the query is blank"])
    hint: str = Field("", description="What to do about it.", examples=["give at least one word to search for"])
    request_id: str = Field("", description="The id of the request, as in the log.")
    errors: list[FieldFault] = Field([], description="The fields that cannot be used, if these are the problem.")


class Problem(HTTPException):
    """Refuse a request: the status, the problem and its remedy."""

    def __init__(self, status: int, detail: str, hint: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.hint = hint


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemAnswer, "description": http.client.responses[status]}
    for status in (400, 401, 403, 404, 405, 408, 413, 414, 415, 422, 500, 503)
}
"""The problems that every route may answer with, for the description of the service."""


def with_media_type(description: dict[str, Any]) -> dict[str, Any]:
    """Return a description of a service whose problems have the media type that they are sent with."""
    for path in description["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                if status[0] in "45" and "application/json" in content:
                    content[MEDIA_TYPE] = content.pop("application/json")
    return description


def install(app: FastAPI) -> None:
    """Answer every refusal of an application with a problem; the request log answers faults."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(WarehouseError, _told)
    app.add_exception_handler(ModelError, _told)


def problem(
    request: Request,
    status: int,
    detail: str,
    hint: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[FieldFault] = (),
) -> Response:
    """Return a problem as an answer."""
    answer = ProblemAnswer(
        title=_title(status),
        status=status,
        detail=detail,
        hint=hint,
        request_id=getattr(request.state, "request_id", ""),
        errors=list(errors),
    )
    return JSONResponse(answer.model_dump(), status, dict(headers or {}), MEDIA_TYPE)


def refuse_read_only(home: Path) -> None:
    """Refuse a request that would write to a home which may only be read.

    Raises:
        Problem: 503, and the connection ends, since nobody reads the body.
    """
    if not is_writable(home):
        hint = "send it to a service that may write to the home"
        raise Problem(503, "this service may only read its home", hint, headers=CLOSE)


async def refuse_repeated(request: Request) -> None:
    """Refuse a query in which a parameter that is no list has several values: one of them would count, in silence.

    Raises:
        Problem: 422, with the names.
    """
    names = Counter(name for name, _ in request.query_params.multi_items() if name not in _LISTS)
    repeated = [name[:_MOST_CHARS] for name, times in names.items() if times > 1]
    if repeated:
        raise Problem(422, f"{', '.join(repeated)[:_MOST_CHARS]} is given several times", "give it once")


def status_of(error: WarehouseError) -> int:
    """Return the status that tells of an error: 404 for an unknown key, 503 for a lock, else 422."""
    if isinstance(error, UnknownKeyError):
        return 404
    return 503 if isinstance(error, LockedError) else 422


def _title(status: int) -> str:
    return http.client.responses.get(status, "Error")


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(getattr(error, "detail", ""))
    hint = getattr(error, "hint", "")
    if not isinstance(error, Problem) and status == 404:
        detail, hint = f"there is nothing at {request.url.path[:_MOST_CHARS]}", "/openapi.json lists every path"
    elif not isinstance(error, Problem) and status == 405:
        detail, hint = f"{request.method} does nothing here", "/openapi.json lists the methods of every path"
    return problem(request, status, detail, hint, headers=getattr(error, "headers", None))


async def _invalid(request: Request, error: Exception) -> Response:
    raised = error.errors() if isinstance(error, RequestValidationError) else []
    faults = [FieldFault(field=_field(each["loc"]), fault=_fault(each)) for each in raised]
    detail = "; ".join(f"{each.field} {each.fault}" for each in faults) or "the request cannot be used"
    return problem(request, 422, detail, "/openapi.json lists what each field may be", errors=faults)


async def _told(request: Request, error: Exception) -> Response:
    if isinstance(error, WarehouseError):
        return problem(request, status_of(error), error.message, error.hint)
    hint = error.hint if isinstance(error, ModelError) else ""
    return problem(request, 500, getattr(error, "message", str(error)), hint)


def _fault(error: Mapping[str, Any]) -> str:
    return "is not known" if error["type"] == "extra_forbidden" else fault(error)


def _field(place: Sequence[str | int]) -> str:
    """Return the name of a field from its place, without the part of the request that it is in."""
    inner = [str(part)[:_MOST_CHARS] for part in place[1:]]
    return ".".join(inner) or str(place[0] if place else "request")
