"""`POST /deltas`: changed rows, kept durably before they are applied, and `GET /deltas/{id}`: their outcome."""

import errno
import json
import re
import time
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from orchestration.service.answers import DeltaAnswer, PlainWord
from orchestration.service.deltas.queue import DeltaQueue, Posted
from orchestration.service.limits import Workers
from orchestration.service.metrics import Metrics
from orchestration.service.problems import CLOSE, Problem, refuse_read_only
from orchestration.service.release_follower import ReleaseFollower
from orchestration.service.tokens import Access

_POLL_S = 0.03
_CHUNK_BYTES = 1_000_000
_MOST_LIST_BYTES = 16_000_000  # a list is read whole
_JSON = "application/json"
_ENDINGS = {
    _JSON: ".jsonl",
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/vnd.apache.parquet": ".parquet",
}
_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,119}\.(jsonl|ndjson|json|csv|tsv|parquet)(\.gz)?$"
_ROW = {"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": "Velvet accordion for beginners"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The rows of a delta file: op (upsert or delete), an optional event_time, and the columns of products "
        "or of judgements, or of a declared source.",
        "content": {
            _JSON: {
                "schema": {"type": "array", "minItems": 1, "items": {"type": "object"}, "title": "Rows"},
                "example": [_ROW],
            },
            "application/x-ndjson": {"schema": {"type": "string"}, "example": json.dumps(_ROW) + "\n"},
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


class DeltaRequest(BaseModel):
    """How the body is called, and whether to wait."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[
        Annotated[str, Field(pattern=_NAME, max_length=128), PlainWord] | None,
        Field(
            description="Name of the file, whose ending says what it is; default: the hash of the body. A file is known by "
            "name and content, and applied once.",
            examples=["monday.jsonl"],
        ),
    ] = None
    wait: Annotated[
        bool, Field(description="Whether to answer only once the rows are searchable; else at once, with 202.")
    ] = True


def router(
    live: ReleaseFollower, workers: Workers, metrics: Metrics, queue: DeltaQueue, access: Access, wait_s: float
) -> APIRouter:
    """Return the routes; a request waits up to `wait_s` seconds for its release."""
    routes = APIRouter(tags=["deltas"])

    @routes.post(
        "/deltas",
        summary="Apply changed rows",
        dependencies=[Depends(access.poster)],
        openapi_extra=_BODY,
        responses={
            202: {"model": DeltaAnswer, "description": "Kept, and not applied yet; Location leads to the outcome"}
        },
    )
    async def post(request: Request, params: Annotated[DeltaRequest, Query()]) -> DeltaAnswer:
        """Keep the rows durably, apply them, and return the outcome once this process searches them.

        What was acknowledged, by 200 or by 202, survives a kill of the service. Equal bodies of one name are applied once.
        """
        refuse_read_only(live.home.root)
        began = time.perf_counter()
        posted = await _kept(request, params.name, queue)
        deadline = began + (wait_s if params.wait else 0.0)
        while posted.is_waiting and time.perf_counter() < deadline:
            await anyio.sleep(_POLL_S)
        answer = await workers.run(lambda: _answer(queue, posted.id))
        if answer is None or posted.is_waiting:
            return _accepted(DeltaAnswer(id=posted.id, state="waiting", name=posted.path.name))  # type: ignore[return-value]
        if answer.state == "applied" and live.served().release.release < (answer.release or 0):
            await workers.run(live.refresh)
        metrics.delta(answer.state, time.perf_counter() - began)
        if answer.state != "applied":
            raise Problem(422 if answer.state == "refused" else 500, answer.detail, answer.hint)
        return answer

    @routes.get("/deltas/{id}", summary="Return the outcome of posted rows", dependencies=[Depends(access.reader)])
    async def get(
        id: Annotated[
            str, PathParameter(pattern="^[0-9a-f]{16}$", description="The id that the answer to the POST names.")
        ],
    ) -> DeltaAnswer:
        """Return the outcome of the rows so far. Outcomes of the last 1,000 are kept."""
        answer = await workers.run(lambda: _answer(queue, id))
        if answer is None:
            raise Problem(
                404, f"no delta {id} was posted, or it was long ago", "stockroom history lists every delta file"
            )
        return answer

    return routes


def _answer(queue: DeltaQueue, id: str) -> DeltaAnswer | None:
    posted = queue.find(id)
    if posted is not None:
        return DeltaAnswer(id=id, state="waiting", name=posted.path.name)
    outcome = queue.outcome(id)
    return None if outcome is None else DeltaAnswer.model_validate(outcome)


def _accepted(answer: DeltaAnswer) -> Response:
    return JSONResponse(answer.model_dump(mode="json"), 202, {"location": f"/deltas/{answer.id}"})


async def _kept(request: Request, name: str | None, queue: DeltaQueue) -> Posted:
    """Return the body as a file in the queue."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if name is None and kind not in _ENDINGS:
        raise Problem(
            415,
            f"a body of {kind[:80] or 'no content type'} needs a name",
            f"give ?name=FILE.jsonl, or one of the content types {', '.join(_ENDINGS)}",
            headers=CLOSE,
        )
    try:
        draft = await anyio.to_thread.run_sync(queue.draft)
        try:
            digest = await _written(request, draft, is_list=kind == _JSON)
            ending = _ENDINGS.get(kind, "")
            return await anyio.to_thread.run_sync(lambda: queue.put(draft, name or f"{digest[:16]}{ending}", digest))
        except BaseException:
            queue.drop(draft)
            raise
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "free disk space there" if is_full else "let the user of the service write to posted/ of the home"
        raise Problem(503, f"the body cannot be kept: {error.strerror}", hint, headers=CLOSE) from error


async def _written(request: Request, draft: Path, *, is_list: bool) -> str:
    """Write the body to a file, and return the SHA-256 of the file in hex."""
    digest, size = sha256(), 0
    async with await anyio.open_file(draft, "wb") as file:
        chunk = bytearray()
        async for part in request.stream():
            chunk += part
            size += len(part)
            if is_list and size > _MOST_LIST_BYTES:
                raise Problem(
                    413, f"a list is larger than {_MOST_LIST_BYTES:,} bytes", "post JSON lines instead", headers=CLOSE
                )
            if len(chunk) >= _CHUNK_BYTES and not is_list:
                digest.update(chunk)
                await file.write(bytes(chunk))
                chunk.clear()
        if is_list:
            chunk = bytearray(await anyio.to_thread.run_sync(_lines, bytes(chunk)))
        digest.update(chunk)
        await file.write(bytes(chunk))
    if not size:
        raise Problem(422, "the body is empty", "send at least one row")
    return digest.hexdigest()


def _lines(body: bytes) -> bytes:
    """Return a list of rows as JSON lines; a body that is JSON lines already stays as it is."""
    if not body.lstrip().startswith(b"["):
        return body
    try:
        rows = json.loads(body, object_pairs_hook=_row)
    except (ValueError, RecursionError) as error:
        raise Problem(
            422, f"the body is not JSON: {_first(error)}", 'send a list of rows: [{"op": "upsert", …}]'
        ) from None
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise Problem(422, "the body is not a list of rows", 'send a list of rows: [{"op": "upsert", …}]')
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode("utf-8", errors="surrogatepass")


def _row(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("a row names a column twice")
    return row


def _first(error: BaseException) -> str:
    return re.sub(r"\s+", " ", str(error))[:200] or "it is nested too deeply"
