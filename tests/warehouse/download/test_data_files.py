"""A download ends with the right bytes under the right name, or names the problem and can be resumed."""

import hashlib
import random
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from warehouse.download.data_files import FILES, Download, Fetched, part_of
from warehouse.download.http_source import CHUNK_BYTES, RemoteFile, Server
from warehouse.errors import WarehouseError

CONTENT = random.Random(5).randbytes(3_000_017)  # more than one chunk
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4a735b693b4a424a6f\nsize 51286808\n"
Behavior = Callable[["Handler", int], None]


def remote(name: str, content: bytes = CONTENT) -> RemoteFile:
    return RemoteFile(name, len(content), hashlib.sha256(content).hexdigest())


A, B = remote("a.parquet"), remote("b.parquet", b"few bytes")


class Handler(BaseHTTPRequestHandler):
    """Answer the n-th request by the server's behavior, and record the request."""

    server: "FileServer"

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers.get("Range")))
        self.server.behavior(self, len(self.server.requests))

    def send(self, body: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        if length is None or length >= 0:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def first(self) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))
        assert match
        return int(match[1])

    def log_message(self, *_: object) -> None:
        pass


class FileServer(ThreadingHTTPServer):
    behavior: Behavior
    requests: list[tuple[str, str | None]]


def with_ranges(handler: Handler, _count: int, content: bytes = CONTENT, most: int | None = None) -> None:
    """Serve the requested range, or at most `most` bytes of it."""
    content = {f"/data/{B.name}": b"few bytes"}.get(handler.path, content)
    first = handler.first()
    rest = content[first:]
    headers = {"Content_Range": f"bytes {first}-{len(content) - 1}/{len(content)}"} if first else {}
    handler.send(rest[:most], 206 if first else 200, len(rest), **headers)


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A file server on this machine."""
    with FileServer(("127.0.0.1", 0), Handler) as running:
        running.behavior, running.requests = with_ranges, []
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield running
        running.shutdown()


def fetch(server: FileServer, folder: Path, *files: RemoteFile, notes: list[str] | None = None) -> list[Fetched]:
    address = f"http://127.0.0.1:{server.server_port}/data/"
    said = [] if notes is None else notes
    return Download(Server(address, silence_s=5), attempts=3, wait_s=0).fetch(
        folder, files or (A,), on_note=said.append
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_data_sets_files_are_named_with_size_and_hash() -> None:
    assert [(file.name, file.size_bytes) for file in FILES] == [
        ("shopping_queries_dataset_examples.parquet", 51_286_808),
        ("shopping_queries_dataset_products.parquet", 1_108_857_465),
    ]
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in FILES)


def test_files_are_downloaded_once(server: FileServer, tmp_path: Path) -> None:
    fetched = fetch(server, tmp_path / "new" / "esci", A, B)
    assert [(file.outcome, file.bytes_fetched) for file in fetched] == [("fetched", len(CONTENT)), ("fetched", 9)]
    assert (tmp_path / "new" / "esci" / A.name).read_bytes() == CONTENT
    assert names(tmp_path / "new" / "esci") == [A.name, B.name]
    assert [file.outcome for file in fetch(server, tmp_path / "new" / "esci", A, B)] == ["kept", "kept"]
    assert server.requests == [(f"/data/{A.name}", None), (f"/data/{B.name}", None)]


def test_progress_runs_from_what_is_there_to_the_whole_file(server: FileServer, tmp_path: Path) -> None:
    part_of(tmp_path / A.name).write_bytes(CONTENT[:1000])
    progress: list[tuple[str, int]] = []
    address = f"http://127.0.0.1:{server.server_port}/data"
    Download(Server(address)).fetch(tmp_path, [A], lambda file, done: progress.append((file.name, done)))
    assert {name for name, _ in progress} == {A.name}
    done = [bytes_ for _, bytes_ in progress]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (1000, len(CONTENT))


def test_a_broken_transfer_is_resumed(server: FileServer, tmp_path: Path) -> None:
    server.behavior = lambda handler, count: with_ranges(
        handler, count, most=None if count == 3 else 15 * CHUNK_BYTES + 5
    )
    (fetched,) = fetch(server, tmp_path)
    assert (fetched.outcome, fetched.bytes_fetched) == ("fetched", len(CONTENT))
    assert (tmp_path / A.name).read_bytes() == CONTENT
    assert [offset for _, offset in server.requests] == [None, *(f"bytes={part * CHUNK_BYTES}-" for part in (15, 30))]


def test_a_later_run_completes_a_broken_one(server: FileServer, tmp_path: Path) -> None:
    server.behavior = lambda handler, count: with_ranges(handler, count, most=23 * CHUNK_BYTES if count == 1 else 0)
    with pytest.raises(
        WarehouseError, match=r"the connection broke, 3 times; 1,507,328 of 3,000,017 bytes are kept.*\n.*again"
    ):
        fetch(server, tmp_path)
    assert names(tmp_path) == [f"{A.name}.part"]
    server.behavior = with_ranges
    (fetched,) = fetch(server, tmp_path)
    assert (fetched.outcome, fetched.bytes_fetched) == ("resumed", len(CONTENT) - 23 * CHUNK_BYTES)
    assert (tmp_path / A.name).read_bytes() == CONTENT
    assert names(tmp_path) == [A.name]


@pytest.mark.parametrize(
    "ignorant",
    [
        lambda handler, _count: handler.send(CONTENT),
        lambda handler, _count: handler.send(CONTENT, length=-1),
        lambda handler, count: handler.send(
            CONTENT, 206 if count == 1 else 200, Content_Range="bytes 0-3000016/3000017"
        ),
        lambda handler, count: handler.send(CONTENT, 206 if count == 1 else 200),
    ],
    ids=["whole", "whole, no length", "another range", "a range that is not said"],
)
def test_a_server_without_ranges_sends_the_whole_file_again(
    server: FileServer, tmp_path: Path, ignorant: Behavior
) -> None:
    server.behavior = ignorant
    part_of(tmp_path / A.name).write_bytes(CONTENT[:1_000_000])
    notes: list[str] = []
    fetch(server, tmp_path, notes=notes)
    assert (tmp_path / A.name).read_bytes() == CONTENT
    assert server.requests[0][1] == "bytes=1000000-"
    assert [note.split(": ")[-1] for note in notes] == ["the file is fetched again from the start"]


def test_a_whole_part_only_gets_its_name(server: FileServer, tmp_path: Path) -> None:
    part_of(tmp_path / A.name).write_bytes(CONTENT)
    assert [(file.outcome, file.bytes_fetched) for file in fetch(server, tmp_path)] == [("resumed", 0)]
    assert server.requests == []
    assert names(tmp_path) == [A.name]


@pytest.mark.parametrize("wrong", [CONTENT + b"!", b"!" + CONTENT[1:]], ids=["too long", "other bytes"])
def test_a_wrong_partial_file_is_dropped_with_a_note(server: FileServer, tmp_path: Path, wrong: bytes) -> None:
    part_of(tmp_path / A.name).write_bytes(wrong)
    notes: list[str] = []
    fetch(server, tmp_path, notes=notes)
    assert (tmp_path / A.name).read_bytes() == CONTENT
    assert notes == [
        f"{tmp_path / A.name}.part does not begin as the file does: the file is fetched again from the start"
    ]


@pytest.mark.parametrize("begun", [0, 2_000_000])
def test_a_wrong_byte_gets_no_name_and_leaves_nothing(server: FileServer, tmp_path: Path, begun: int) -> None:
    wrong = CONTENT[:2_500_000] + bytes([CONTENT[2_500_000] ^ 1]) + CONTENT[2_500_001:]
    server.behavior = lambda handler, count: with_ranges(handler, count, wrong)
    if begun:
        part_of(tmp_path / A.name).write_bytes(CONTENT[:begun])
    with pytest.raises(WarehouseError, match=f"has the SHA-256 {hashlib.sha256(wrong).hexdigest()}, not {A.sha256}"):
        fetch(server, tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        (lambda handler, _: handler.send(CONTENT, length=3_000_018), "has 3,000,018 bytes, not 3,000,017"),
        (lambda handler, _: handler.send(CONTENT, length=3_000_016), "has 3,000,016 bytes, not 3,000,017"),
        (lambda handler, _: handler.send(CONTENT[:-1]), "has 3,000,016 bytes, not 3,000,017"),
        (lambda handler, _: handler.send(CONTENT + b"!", length=-1), "sends more than 3,000,017 bytes"),
        (
            lambda handler, _: handler.send(CONTENT[:9], length=len(CONTENT)),
            "the connection broke, 3 times; 0 of 3,000,017",
        ),
        (
            lambda handler, _: handler.send(CONTENT[:9], length=-1),
            "the server sent less than the whole file, 3 times; 9 of 3,000,017",
        ),
        (lambda handler, _: handler.send(b"", 206, Content_Range="bytes 0-4/5"), "has 5 bytes, not 3,000,017"),
        (lambda handler, _: handler.send(b"", 416, Content_Range="bytes */5"), "has 5 bytes, not 3,000,017"),
        (lambda handler, _: handler.send(b"", 416), "has fewer bytes, not 3,000,017"),
        (lambda handler, _: handler.send(b"<p>no", 404), "the server answered 404 Not Found"),
        (
            lambda handler, _: handler.send(b"", 503),
            "the server answered 503 Service Unavailable, 3 times; 0 of 3,000,017",
        ),
        (lambda handler, _: handler.send(POINTER), "is a git-lfs pointer, not the data"),
        (lambda handler, _: handler.send(POINTER, length=-1), "is a git-lfs pointer, not the data"),
    ],
)
def test_what_the_server_does_wrong_is_said(server: FileServer, tmp_path: Path, lie: Behavior, message: str) -> None:
    server.behavior = lie
    with pytest.raises(WarehouseError) as raised:
        fetch(server, tmp_path)
    assert message in raised.value.message
    assert f"http://127.0.0.1:{server.server_port}/data/{A.name}" in raised.value.message
    assert raised.value.hint
    assert not (tmp_path / A.name).exists()


def test_a_busy_server_is_retried(server: FileServer, tmp_path: Path) -> None:
    server.behavior = lambda handler, count: with_ranges(handler, count) if count > 2 else handler.send(b"", 503)
    fetch(server, tmp_path)
    assert (tmp_path / A.name).read_bytes() == CONTENT


def test_a_redirect_is_followed_and_the_range_goes_with_it(server: FileServer, tmp_path: Path) -> None:
    def elsewhere(handler: Handler, count: int) -> None:
        if handler.path.startswith("/data/"):
            handler.send(b"", 302, Location=f"/media/{A.name}")
        else:
            with_ranges(handler, count)

    server.behavior = elsewhere
    part_of(tmp_path / A.name).write_bytes(CONTENT[:7])
    fetch(server, tmp_path)
    assert (tmp_path / A.name).read_bytes() == CONTENT
    assert server.requests == [(f"/data/{A.name}", "bytes=7-"), (f"/media/{A.name}", "bytes=7-")]


def test_a_server_that_is_gone_is_named(server: FileServer, tmp_path: Path) -> None:
    server.server_close()
    with pytest.raises(WarehouseError, match=rf"http://127.0.0.1:\d+/data/{A.name}: nothing listens there, 3 times"):
        fetch(server, tmp_path)


@pytest.mark.parametrize("address", ["esci.example", "ftp://esci.example", "http://"])
def test_what_is_no_address_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(WarehouseError, match=f"{address} is not a valid URL"):
        Download(Server(address)).fetch(tmp_path, [A])


def test_a_pointer_in_the_folder_gives_way_to_the_data(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / A.name).write_bytes(POINTER)
    notes: list[str] = []
    fetch(server, tmp_path, notes=notes)
    assert (tmp_path / A.name).read_bytes() == CONTENT
    assert notes[0].startswith(f"{tmp_path / A.name} is a git-lfs pointer, not the data")


@pytest.mark.parametrize("mine", [b"my own file", b"!" + CONTENT[1:], None], ids=["size", "bytes", "folder"])
def test_another_file_of_that_name_is_left_alone(server: FileServer, tmp_path: Path, mine: bytes | None) -> None:
    (tmp_path / A.name).mkdir() if mine is None else (tmp_path / A.name).write_bytes(mine)
    with pytest.raises(WarehouseError, match="exists and is not the data set's file"):
        fetch(server, tmp_path, B, A)
    assert mine is None or (tmp_path / A.name).read_bytes() == mine
    assert server.requests == []


def test_a_folder_that_cannot_be_made_is_named(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(WarehouseError, match=f"{folder} cannot be created"):
            fetch(server, folder)


def test_what_the_disk_has_no_room_for_is_not_begun(server: FileServer, tmp_path: Path) -> None:
    huge = RemoteFile("huge.parquet", 10**18, A.sha256)
    with pytest.raises(WarehouseError, match=r"has [\d,]+ MB free, and the download needs 1,000,000,000,\d{3} MB"):
        fetch(server, tmp_path, huge, A)
    assert server.requests == []


def test_a_disk_that_fills_up_is_named(server: FileServer, tmp_path: Path) -> None:
    part_of(tmp_path / A.name).symlink_to("/dev/full")  # the kernel's own full disk
    with pytest.raises(
        WarehouseError, match=f"{A.name}.part cannot be written: the disk is full; 0 of 3,000,017 bytes"
    ):
        fetch(server, tmp_path)
    assert not (tmp_path / A.name).exists()


def test_two_downloads_do_not_write_into_one_file(server: FileServer, tmp_path: Path) -> None:
    first, second = threading.Event(), threading.Event()

    def slowly(handler: Handler, count: int) -> None:
        first.set()
        second.wait(10)
        with_ranges(handler, count)

    server.behavior = slowly
    running = threading.Thread(target=fetch, args=(server, tmp_path))
    running.start()
    first.wait(10)
    try:
        with pytest.raises(WarehouseError, match="another download is writing"):
            fetch(server, tmp_path)
    finally:
        second.set()
        running.join()
    assert (tmp_path / A.name).read_bytes() == CONTENT
