"""A client of the HTTP service: typed answers, and patience with a service that is busy or starts again."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx

from orchestration.serving.hits import Explanation, Hit
from warehouse.errors import UnknownKeyError, WarehouseError
from warehouse.search.facets import Facet, FacetValue

T = TypeVar("T")

_BUSY = (429, 502, 503, 504)
_LONGEST_PAUSE_S = 5.0
_NOT_FOUND = 404


@dataclass(frozen=True)
class ServiceAnswer:
    """Hold the products of a search, all of one release.

    Attributes:
        release: the release that answered.
        hits: the best products, best first.
        facets: a facet for each column that was asked for.
        found: number of products that the facets count.
        rules: what the shop's search rules did to the query, in words.
        corrections: words that the catalog does not know, and those that were searched for instead.
        no_word_found: whether the search by words found no product; any hits are then the nearest by meaning.
    """

    release: int
    hits: list[Hit]
    facets: tuple[Facet, ...] = ()
    found: int = 0
    rules: tuple[str, ...] = ()
    corrections: dict[str, str] = field(default_factory=dict)
    no_word_found: bool = False


@dataclass(frozen=True)
class DeltaResult:
    """The outcome of posted rows.

    Attributes:
        id: the id, by which `Client.delta` asks again.
        state: waiting, applied, refused or failed.
        name: the name of the file.
        release: the release from which on the rows are searchable.
        run: the run that applied them, as the UI shows it.
        file: counts of the rows by effect: inserted, updated, deleted, unchanged, refused and others.
        refused: rows that the run put into quarantine: table, rule, rows and keys.
        detail: why the rows were refused, or the run did not come to its end.
        hint: what to do about that.
    """

    id: str
    state: Literal["waiting", "applied", "refused", "failed"]
    name: str
    release: int | None = None
    run: str | None = None
    file: dict[str, Any] | None = None
    refused: Sequence[dict[str, Any]] = ()
    detail: str = ""
    hint: str = ""


class Client:
    """Ask a running `stockroom serve`. Threads may share a client; `with` closes its connections.

    A request that the service could not take, or whose connection broke, is sent again some times, with longer pauses; that
    is safe for posted rows too, since equal rows are applied once.

    Args:
        url: Where the service is, as http://127.0.0.1:8808.
        token: The token for reading or for deltas, if the service wants one.
        attempts: Number of times that one request is sent.
        timeout_s: Time to wait for an answer, in seconds.
        delta_timeout_s: The same for posted rows, which wait for their release.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8808",
        token: str | None = None,
        *,
        attempts: int = 4,
        timeout_s: float = 35.0,
        delta_timeout_s: float = 620.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, transport=transport)
        self._attempts, self._delta_timeout_s = attempts, delta_timeout_s

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def search(
        self,
        query: str,
        k: int = 10,
        locale: str | None = None,
        *,
        page: int = 1,
        where: str | None = None,
        facets: Sequence[str] = (),
        context: str | None = None,
        at: datetime | None = None,
        mode: Literal["ranked", "vector", "text", "encoder"] = "ranked",
        explain: bool = False,
        fold: bool = True,
        rules: bool = True,
        show: Sequence[str] = (),
    ) -> ServiceAnswer:
        """Search as `Searcher.answer` does.

        Raises:
            WarehouseError: The service refuses the query, or does not answer.
        """
        params = {
            "q": query,
            "k": k,
            "page": page,
            "locale": locale,
            "where": where,
            "facets": list(facets),
            "show": list(show),
            "context": context,
            "at": None if at is None else at.isoformat(),
            "mode": mode,
        }
        answer = self._json("GET", "/search", params | {"explain": explain, "all": not fold, "rules": rules})
        facets_found = tuple(_facet(each) for each in answer["facets"])
        rest = {name: answer[name] for name in ("release", "found", "corrections")}
        rest["no_word_found"] = answer.get("no_word_found", False)  # an earlier service does not tell
        hits = [_hit(each) for each in answer["hits"]]
        return ServiceAnswer(hits=hits, facets=facets_found, rules=tuple(answer["rules"]), **rest)

    def similar(
        self, key: str, k: int = 10, locale: str | None = None, *, where: str | None = None, show: Sequence[str] = ()
    ) -> list[Hit]:
        """Return the products most like one, as `Searcher.similar` does.

        Raises:
            UnknownKeyError: The release has no such product.
            WarehouseError: The service refuses the request, or does not answer.
        """
        params = {"k": k, "locale": locale, "where": where, "show": list(show)}
        answer = self._json("GET", f"/similar/{_quoted(key)}", params)
        return [_hit(each) for each in answer["hits"]]

    def features(self, key: str, entity: Literal["product", "query"] = "product") -> dict[str, Any]:
        """Return the features of one product or judged query by name.

        Raises:
            UnknownKeyError: The release has no such key.
            WarehouseError: The service refuses the request, or does not answer.
        """
        features: dict[str, Any] = self._json("GET", f"/features/{entity}/{_quoted(key)}", {})["features"]
        return features

    def suggest(self, typed: str, k: int = 10, locale: str | None = None) -> list[str]:
        """Return completions of what was typed: known queries, then titles.

        Raises:
            WarehouseError: The service refuses the request, or does not answer.
        """
        answer = self._json("GET", "/suggest", {"q": typed, "k": k, "locale": locale})
        return [each["text"] for each in answer["suggestions"]]

    def apply(
        self, rows: Sequence[dict[str, Any]] | Path, *, name: str | None = None, wait: bool = True
    ) -> DeltaResult:
        """Post changed rows, or a delta file, and return the outcome once they are searchable.

        Args:
            rows: Rows with `op` and the columns of products or judgements, or the path of a file.
            name: Name of the file; default: the path's own, or one made from the rows.
            wait: Whether to wait for the release; else the result says `waiting`, and `delta` tells later.

        Raises:
            WarehouseError: The service refuses the rows, or does not answer.
        """
        params = {"name": name or (rows.name if isinstance(rows, Path) else None), "wait": wait}
        body = {"content": rows.read_bytes()} if isinstance(rows, Path) else {"json": list(rows)}
        return _made(DeltaResult, self._json("POST", "/deltas", params, timeout=self._delta_timeout_s, **body))

    def delta(self, id: str) -> DeltaResult:
        """Return the outcome of posted rows so far.

        Raises:
            WarehouseError: No rows of this id were posted, or the service does not answer.
        """
        return _made(DeltaResult, self._json("GET", f"/deltas/{_quoted(id)}", {}))

    def release(self) -> int:
        """Return the release that the service answers from.

        Raises:
            WarehouseError: The service does not answer.
        """
        return int(self._json("GET", "/readyz", {})["release"])

    def _json(self, method: str, path: str, params: dict[str, Any], **more: Any) -> dict[str, Any]:
        response = self._sent(method, path, {name: each for name, each in params.items() if each is not None}, **more)
        if response.is_success:
            answer: dict[str, Any] = response.json()
            return answer
        try:
            problem = response.json()
            message, hint = str(problem["detail"]), str(problem.get("hint", ""))
        except (ValueError, KeyError, TypeError):
            message, hint = f"{self._http.base_url} answered {response.status_code}", "look into the log of the service"
        raise (UnknownKeyError if response.status_code == _NOT_FOUND else WarehouseError)(message, hint)

    def _sent(self, method: str, path: str, params: dict[str, Any], **more: Any) -> httpx.Response:
        pause_s = 0.1
        for attempt in range(1, self._attempts + 1):
            try:
                response = self._http.request(method, path, params=params, **more)
            except httpx.TransportError as error:
                if attempt == self._attempts or isinstance(error, httpx.ReadTimeout):
                    raise WarehouseError(
                        f"no answer from {self._http.base_url}: {type(error).__name__}",
                        "start the service: stockroom serve",
                    ) from error
            else:
                if response.status_code not in _BUSY or attempt == self._attempts:
                    return response
                retry_after = response.headers.get("retry-after", "")
                pause_s = max(pause_s, float(retry_after) if retry_after.isdecimal() else 0.0)
            time.sleep(min(pause_s, _LONGEST_PAUSE_S))
            pause_s *= 3
        raise WarehouseError("a request was to be sent no time at all", "give attempts of 1 or more")


def _made(kind: type[T], values: dict[str, Any]) -> T:
    """Return a dataclass from the values that it knows: a newer service may tell more."""
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in values.items() if name in known})


def _hit(values: dict[str, Any]) -> Hit:
    explanation = values.pop("explanation", None)
    if explanation is not None:
        explanation = _made(Explanation, explanation | {"found_by": tuple(explanation["found_by"])})
    return _made(Hit, values | {"explanation": explanation, "rules": tuple(values.get("rules", ()))})


def _facet(values: dict[str, Any]) -> Facet:
    return _made(Facet, values | {"values": tuple(_made(FacetValue, each) for each in values["values"])})


def _quoted(key: str) -> str:
    return quote(key, safe="")
