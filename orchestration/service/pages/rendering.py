"""The rendering of pages: templates, addresses, headers and the files beside the pages."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from orchestration.service.pages.judged_labels import LABEL_NAMES
from warehouse.history.checkpoints import utc
from warehouse.wording import counted

_HERE = Path(__file__).parent
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
_YEAR_S = 31_536_000
_MOST_EXACT = 1e15  # a float holds whole numbers below it


class Pages:
    """Render the pages. Every value that a template shows is escaped."""

    def __init__(self, *, shows_images: bool, keeps_feedback: bool = False) -> None:
        """Read the files beside the pages.

        Args:
            shows_images: Whether pages show the catalog's images, which come from other hosts, or links to them.
            keeps_feedback: Whether the results carry what the script posts to `/feedback`.
        """
        self._files = {file.name: file.read_bytes() for file in sorted((_HERE / "static").iterdir())}
        version = hashlib.sha256(b"".join(self._files.values())).hexdigest()[:12]
        self._headers = {
            "Content-Security-Policy": _POLICY + ("; img-src 'self' https:" if shows_images else ""),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {"version": version, "label_names": LABEL_NAMES}
        self._environment.globals |= {"shows_images": shows_images, "keeps_feedback": keeps_feedback}
        self._environment.filters |= {"cell": cell, "number": number, "price": price, "counted": counted, "utc": utc}

    def page(self, request: Request, name: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """Return a page of a template.

        Args:
            request: The request, which has the path that a proxy puts before every address.
            name: Name of the template, without its ending.
            values: What the template shows.
            status: The status of the answer.
        """
        base = str(request.scope.get("root_path", "")).rstrip("/")

        def address(path: str, **parameters: object) -> str:
            query = urlencode({key: value for key, value in parameters.items() if value not in (None, "")})
            return f"{base}{path}?{query}" if query else f"{base}{path}"

        def product_address(key: str) -> str:
            return f"{base}/product/{quote(key, safe='')}"

        template = self._environment.get_template(f"{name}.html")
        content = template.render(**values, base=base, address=address, product_address=product_address)
        return HTMLResponse(content, status, self._headers)

    def file(self, name: str) -> Response:
        """Return a file beside the pages, to be kept by the browser: its address has the version; 404 for another name."""
        content = self._files.get(name)
        if content is None:
            return Response("no such file", 404, media_type="text/plain")
        headers = {"Cache-Control": f"public, max-age={_YEAR_S}, immutable", "X-Content-Type-Options": "nosniff"}
        return Response(content, headers=headers, media_type=_TYPES[Path(name).suffix])


def cell(value: object) -> str:
    """Return a value as people read it: a dash for null, six digits of a fraction, a list as its elements."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return number(value)
        case int():
            return str(value)
        case list() | tuple():
            return ", ".join(map(cell, value))
        case datetime():
            return utc(value)
        case _:
            return str(value)


def price(value: object) -> str:
    """Return an amount of money with two decimals; another value as `cell` does."""
    return f"{value:,.2f}" if isinstance(value, float) else cell(value)


def number(value: float | None, digits: int = 6, *, sign: bool = False) -> str:
    """Return a number with some significant digits, or a dash for null; with `sign` a plus stands before a positive one.

    Digits before the point are all shown, up to 15: 98123, not 9.812e+04.
    """
    if value is None:
        return "–"
    form = ".0f" if 10 ** (digits - 1) <= abs(value) < _MOST_EXACT else f".{digits}g"
    return f"{value:{'+' if sign else ''}{form}}"
