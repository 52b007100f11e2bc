"""`stockroom download` brings files that `build` can take in, and tells people and programs what came."""

import hashlib
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from warehouse.download import data_files as download
from warehouse.download.http_source import RemoteFile
from warehouse.ingest.sources import check_folder
from warehouse.sample import write_esci


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def esci(tmp_path_factory):
    """A small data set of the same file names."""
    folder = tmp_path_factory.mktemp("served")
    write_esci(folder, 100, 5)
    return folder


@pytest.fixture
def address(esci, monkeypatch):
    """The address of a server of that data set, with its own sizes and hashes where ESCI's are."""
    files = [
        RemoteFile(file.name, (esci / file.name).stat().st_size, _sha256(esci / file.name)) for file in download.FILES
    ]
    monkeypatch.setattr(download, "FILES", files)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=esci)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_build_accepts_the_files_and_the_output_names_the_command(stockroom, tmp_path, address):
    answer = stockroom("download", "--out", tmp_path / "esci", "--url", address)
    assert answer.status == 0
    assert answer.out.count("fetched  ") == 2
    assert f"Now: stockroom build --raw {tmp_path / 'esci'}" in answer.out.replace("\n", " ").replace("  ", " ")
    assert len(check_folder(tmp_path / "esci")) == 2


def test_json_lists_existing_and_fetched_files(stockroom, tmp_path, address, esci):
    name = download.FILES[0].name
    (tmp_path / f"{name}.part").write_bytes((esci / name).read_bytes()[:100])
    report = json.loads(stockroom("download", "--out", tmp_path, "--url", address, "--json").out)
    assert report["folder"] == str(tmp_path)
    assert [file["outcome"] for file in report["files"]] == ["fetched", "fetched"]  # this server knows no ranges
    assert [(file["name"], file["size_bytes"], file["sha256"]) for file in report["files"]] == [
        (file.name, file.size_bytes, file.sha256) for file in download.FILES
    ]
    again = json.loads(stockroom("download", "--out", tmp_path, "--url", address, "--json").out)
    assert [(file["outcome"], file["bytes_fetched"]) for file in again["files"]] == [("kept", 0)] * 2


def test_notes_and_errors_go_to_standard_error_and_a_failure_exits_with_1(stockroom, tmp_path, address):
    pointer = tmp_path / download.FILES[0].name
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4a73\nsize 51286808\n")
    answer = stockroom("download", "--out", tmp_path, "--url", f"{address}/nowhere")
    assert (answer.status, answer.out) == (1, "")
    assert f"{pointer} is a git-lfs pointer, not the data" in answer.err
    assert "the server answered 404 File not found" in answer.err
    assert pointer.exists()
