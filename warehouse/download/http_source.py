"""Download server: the address of the data set's files, and a file's bytes from an offset on."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warehouse.errors import WarehouseError
from warehouse.readers.file_bytes import POINTER

if TYPE_CHECKING:
    import requests

ADDRESS = "https://github.com/amazon-science/esci-data/raw/main/shopping_queries_dataset"
CHUNK_BYTES = 1 << 16  # what a broken connection loses at most
PASSING = {408, 425, 429, 500, 502, 503, 504}  # transient errors


@dataclass(frozen=True)
class RemoteFile:
    """An expected file: its name under the address, its size, and its SHA-256 in hex."""

    name: str
    size_bytes: int
    sha256: str


class BrokenOffError(Exception):
    """Report why the transfer stopped; a retry may help."""


class CannotResumeError(Exception):
    """Report that the server sent another range than requested."""


@dataclass(frozen=True)
class Server:
    """Serve files under one address.

    `connect_s` and `silence_s` are the timeouts for the connection and for the next bytes, in seconds.
    """

    address: str = ADDRESS
    connect_s: float = 10.0
    silence_s: float = 60.0

    def url(self, file: RemoteFile) -> str:
        """Return the file's own address."""
        return f"{self.address.rstrip('/')}/{file.name}"

    @contextmanager
    def body(self, file: RemoteFile, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Request the file from an offset on; yield the offset of the response, and its bytes.

        A server without range support sends the whole file, from offset 0.

        Raises:
            BrokenOffError: The server cannot be reached, or stopped in the middle.
            CannotResumeError: The server sent another range than requested.
            WarehouseError: The server has no such file, one of another size, or a git-lfs pointer in its place.
        """
        import requests

        # identity: a compressed response cannot be resumed, and its length differs from the file's
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        timeout = (self.connect_s, self.silence_s)
        try:
            with requests.get(self.url(file), headers=headers, stream=True, timeout=timeout) as response:
                yield self._begin(file, start, response), self._chunks(file, response)
        except _no_address() as error:
            raise WarehouseError(
                f"{self.address} is not a valid URL: {error}",
                "give an address that begins with https:// or http://: --url BASE",
            ) from error
        except requests.RequestException as error:
            raise BrokenOffError(_reason(error)) from error

    def _begin(self, file: RemoteFile, start: int, response: "requests.Response") -> int:
        """Check the response, and return the offset of its first byte."""
        url, status = self.url(file), response.status_code
        if status in PASSING:
            raise BrokenOffError(f"the server answered {status} {response.reason}")
        if status == 206:
            first, size = _content_range(response)
            if size not in (None, file.size_bytes):
                raise self._wrong_size(file, size)
            if first != start:
                raise CannotResumeError
            return start
        if status == 416:
            raise self._wrong_size(file, _content_range(response)[1])
        if status != 200:
            raise WarehouseError(
                f"{url}: the server answered {status} {response.reason}",
                "give an address that has the file: --url BASE",
            )
        length = response.headers.get("Content-Length", "")
        if length.isdigit() and int(length) != file.size_bytes:
            if next(response.iter_content(len(POINTER)), b"") == POINTER:
                raise self._pointer(file)
            raise self._wrong_size(file, int(length))
        return 0

    def _chunks(self, file: RemoteFile, response: "requests.Response") -> Iterator[bytes]:
        for place, chunk in enumerate(response.iter_content(CHUNK_BYTES)):
            if place == 0 and chunk.startswith(POINTER):
                raise self._pointer(file)
            yield chunk

    def _wrong_size(self, file: RemoteFile, size: int | None) -> WarehouseError:
        has = "fewer" if size is None else f"{size:,}"
        return WarehouseError(
            f"{self.url(file)} has {has} bytes, not {file.size_bytes:,}: the address serves another file",
            "give the address of the data set itself: --url BASE",
        )

    def _pointer(self, file: RemoteFile) -> WarehouseError:
        return WarehouseError(
            f"{self.url(file)} is a git-lfs pointer, not the data",
            "give an address that serves the git-lfs content, as the default address does: --url BASE",
        )


def _content_range(response: "requests.Response") -> tuple[int | None, int | None]:
    """Return the range's first offset and the size of the whole file; None for what the response does not state."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if match is None:
        return None, None
    first, size = match.groups()
    return (None if first is None else int(first)), (None if size == "*" else int(size))


def _no_address() -> tuple[type[Exception], ...]:
    from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema

    return InvalidSchema, InvalidURL, MissingSchema


def _reason(error: Exception) -> str:
    """Return a short reason for a connection failure."""
    import requests

    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "it did not answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate or its TLS is not accepted"
    text = str(error)
    if isinstance(error, requests.exceptions.ConnectionError) and "Read timed out" not in text:
        for fragment, words in {
            "NameResolutionError": "its name is not known here",
            "Connection refused": "nothing listens there",
            "unreachable": "the network does not reach it",
        }.items():
            if fragment in text:
                return words
    return "it stopped sending" if "timed out" in text else "the connection broke"
