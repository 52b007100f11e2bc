"""Tokens: who may read, and who may post deltas. A token is compared in constant time, and never written anywhere."""

import base64
import binascii
import hmac
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from fastapi import Request
from pydantic import SecretStr

from orchestration.config.serve import ServeSettings
from orchestration.service.problems import Problem
from warehouse.errors import WarehouseError

Right = Literal["read", "delta"]
_LEAST_CHARS = 16
_CHALLENGE = {"www-authenticate": 'Bearer realm="stockroom", Basic realm="stockroom", charset="UTF-8"'}


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_tokens(settings: ServeSettings) -> None:
    """Refuse tokens that are easy to guess, and an address that others reach without any.

    Raises:
        WarehouseError: The message names the environment variable, and never the token.
    """
    for name, token in (("READ", settings.read_token), ("DELTA", settings.delta_token)):
        text = token.get_secret_value() if token is not None else None
        if text is not None and (
            len(text) < _LEAST_CHARS or not (text.isascii() and text.isprintable() and " " not in text)
        ):
            raise WarehouseError(
                f"STOCKROOM_SERVE__{name}_TOKEN has fewer than {_LEAST_CHARS} characters, or some that no header can have",
                "make one with: openssl rand -hex 24",
            )
    if not is_loopback(settings.host) and settings.read_token is None:
        raise WarehouseError(
            f"other machines reach {settings.host}, and no token protects the catalog",
            "set STOCKROOM_SERVE__READ_TOKEN, and STOCKROOM_SERVE__DELTA_TOKEN for those who post; or serve on 127.0.0.1",
        )


class Access:
    """Let a request pass that brings the token of its right; the token for deltas also reads."""

    def __init__(self, settings: ServeSettings) -> None:
        self._read, self._delta = _bytes(settings.read_token), _bytes(settings.delta_token)
        self._is_open = self._read is None and self._delta is None
        self._is_local = is_loopback(settings.host)

    def reader(self, request: Request) -> None:
        """Refuse a request that may not read.

        Raises:
            Problem: 401 without a valid token, 403 from a page of another site.
        """
        self._check(request, "read")

    def poster(self, request: Request) -> None:
        """Refuse a request that may not post deltas.

        Raises:
            Problem: 401 without a valid token, 403 with one that may only read, or from a page of another site.
        """
        self._check(request, "delta")

    def _check(self, request: Request, right: Right) -> None:
        self._refuse_other_sites(request)
        if self._is_open:
            return
        token = _token(request.headers.get("authorization", ""))
        may_post = self._delta is not None and hmac.compare_digest(token, self._delta)
        may_read = may_post or (self._read is not None and hmac.compare_digest(token, self._read))
        if not may_read:
            raise Problem(
                401,
                "a valid token is missing" if token else "a token is missing",
                "send the header Authorization: Bearer TOKEN",
                headers=_CHALLENGE,
            )
        if right == "delta" and not may_post:
            hint = "send the token for deltas" if self._delta else "start the service with STOCKROOM_SERVE__DELTA_TOKEN"
            raise Problem(403, "this token may read, and may not post deltas", hint)

    def _refuse_other_sites(self, request: Request) -> None:
        """Refuse what a page of another site makes a browser send: a form that posts, or a name that leads here."""
        host = request.headers.get("host", "")
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Problem(403, "a page of another site may not use this service", "use it from its own address")
        name = urlsplit(f"//{host}").hostname or ""
        if self._is_open and self._is_local and not is_loopback(name):
            raise Problem(403, f"this service is not {name[:80]!r}", "use it as 127.0.0.1 or localhost")


def _bytes(token: SecretStr | None) -> bytes | None:
    return None if token is None else token.get_secret_value().encode()


def _token(header: str) -> bytes:
    """Return the token of an Authorization header: Bearer, or the password of Basic, which browsers ask for; else nothing."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode("latin-1", errors="replace")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""
