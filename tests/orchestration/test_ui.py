"""`stockroom ui` in a real browser: Dagster's pages on a copy of the built home."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pytest

from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.definitions import defs
from orchestration.instance import ui_server
from orchestration.instance.dagster_instance import COMMAND_LINE, fail_runs_of_a_dead_server, open_instance
from orchestration.instance.ui_health import Health, health
from orchestration.instance.ui_server import serve
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.home import Home

STORES_EVENTS = True

PATIENCE_MS = 120_000
ASSETS = sorted(key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys())

# The graph is drawn without ids: an asset is a box that lies inside the box of its group.
DRAWN = """(expected) => {
    const boxes = [...document.querySelectorAll('svg foreignObject')].map(element => ({
        group: element.classList.contains('group'),
        name: element.firstElementChild.innerText.trim().split('\\n')[0],
        place: element.getBoundingClientRect(),
    }));
    const holds = (group, box) => box.width < group.width && box.left >= group.left && box.right <= group.right
        && box.top >= group.top && box.bottom <= group.bottom;
    const keys = boxes.filter(box => !box.group).flatMap(box =>
        boxes.filter(group => group.group && holds(group.place, box.place)).map(group => `${group.name}/${box.name}`));
    return expected.every(key => keys.includes(key));
}"""


@dataclass(frozen=True)
class Served:
    """A running `stockroom ui`: its address, its home, and the process to be stopped."""

    address: str
    home: Home
    process: subprocess.Popen[str]

    def processes(self) -> list[str]:
        """Return the command lines that name the home: those of the server and of all that it started."""
        lines = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                lines.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                continue
        return [line for line in lines if str(self.home.root) in line]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def served(copy_home) -> Iterator[Served]:
    home = open_home(load_settings(copy_home()))
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("STOCKROOM_", "DAGSTER_"))}
    environment["STOCKROOM_AUTOMATION__SETTLE_S"] = "0.5"
    command = ["-c", "from orchestration.cli import main; main()", "ui", "--home", str(home.root), "--port", str(port)]
    environment |= {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(Path(__file__).parents[2])}  # as the installed command
    beside = home.root.parent / "project"
    for file in ("models.py", "orchestration.py", "assets/__init__.py", "warehouse/__init__.py", "tests/__init__.py"):
        (beside / file).parent.mkdir(parents=True, exist_ok=True)
        (beside / file).write_text("raise SystemExit('a file of the user')", encoding="utf-8")
    (beside / ".env").write_text("STOCKROOM_TRAINING__EPOCHS=many\n", encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, *command], stderr=subprocess.PIPE, text=True, env=environment, cwd=beside
    )
    assert process.stderr is not None
    message = ""
    for line in process.stderr:
        message += line
        if f"Open http://127.0.0.1:{port}/asset-groups" in line:
            break
    else:
        pytest.fail(f"the server ended: {message}")
    drain = threading.Thread(target=process.stderr.read)
    drain.start()
    try:
        yield Served(f"http://127.0.0.1:{port}", home, process)
    finally:
        process.terminate()
        process.wait(90)
        drain.join()
        process.stderr.close()


@pytest.fixture
def page(browser, served, tmp_path):
    """Return a page that is tall enough for the whole graph and may not talk to anyone but the server."""
    opened = browser.new_page(base_url=served.address, viewport={"width": 1800, "height": 2700})
    opened.set_default_timeout(PATIENCE_MS)
    outside: list[str] = []
    opened.on("request", lambda request: outside.append(request.url) if is_outside(request.url, served) else None)
    yield opened
    opened.screenshot(path=tmp_path / "page.png")
    opened.close()
    assert outside == []


def is_outside(url: str, served: Served) -> bool:
    own = (served.address, served.address.replace("http", "ws"), "data:", "blob:")
    return not url.startswith(own)


def test_the_graph_shows_every_asset_in_its_group(page):
    page.goto("/asset-groups")
    page.locator("svg foreignObject").first.wait_for()
    page.keyboard.press("Alt+E")  # opens all groups
    page.wait_for_function(DRAWN, arg=ASSETS)
    assert page.get_by_text("Join the Dagster community").count() == 0


def test_the_run_of_the_command_line_is_listed(page, built):
    page.goto("/locations/stockroom/jobs/build/runs")
    page.locator(f"a[href='/runs/{built.report['run_id']}']").first.wait_for()
    page.get_by_text("Success", exact=True).wait_for()
    page.get_by_text("stockroom/started_by: command line").first.wait_for()


def test_a_table_shows_its_columns_with_their_meaning_its_rows_and_its_checks(page, built):
    page.goto("/assets/features/products")
    contract = CONTRACTS["features.products"]
    for column in contract.columns:
        row = page.get_by_role("row").filter(has=page.get_by_text(column, exact=True))
        row.filter(has_text=contract.meaning(column)).first.wait_for()
    page.get_by_text("Row count").wait_for()
    assert page.get_by_text(str(built.report["rows"]["features.products"]), exact=True).count() >= 1
    # A wide table's first rows open on a click.
    page.get_by_role("row").filter(has=page.get_by_text("preview", exact=True)).get_by_text("[Show Markdown]").click()
    page.get_by_role("cell", name=re.compile("^(us|es|jp):")).first.wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Checks").click()
    page.get_by_text("contract").first.wait_for()


@pytest.mark.parametrize(
    ("asset", "plot"),
    [
        ("features/products", "distributions"),
        ("evaluation/metrics", "relevance"),
        ("model/two_tower", "training curves"),
    ],
)
def test_a_plot_is_drawn(page, asset, plot):
    page.goto(f"/assets/{asset}")
    page.get_by_text("[Show Markdown]").last.click()
    picture = page.get_by_alt_text(plot)
    picture.wait_for()
    assert picture.evaluate("image => image.complete && image.naturalWidth > 500")


def test_materialize_all_makes_one_run_that_succeeds_in_this_home(page, served, built):
    page.goto("/asset-groups")
    page.get_by_role("button", name="Materialize all").click()
    launched = page.get_by_text(re.compile("^Launched run [0-9a-f]{8}$")).last.inner_text()
    page.goto("/runs")
    link = page.locator(f"a[href^='/runs/{launched.split()[-1]}']").first.get_attribute("href")
    page.goto(link)
    page.get_by_text("Success", exact=True).first.wait_for()
    run_id = link.removeprefix("/runs/")
    with open_instance(served.home) as instance:
        runs = instance.get_runs()
        assert {run.run_id for run in runs} == {run_id, built.report["run_id"]}
        assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
        for asset in ASSETS:
            event = instance.get_latest_materialization_event(dg.AssetKey(asset.split("/")))
            assert event is not None, asset
            assert event.run_id == run_id, asset
    facts = served.home.journal.last()
    assert facts == served.home.journal.run(run_id)
    assert facts["embeddings.texts"]["texts_encoded"] == 0
    assert facts["releases.live"]["is_new"] is False


@pytest.mark.slow
def test_a_file_dropped_into_incoming_leads_by_itself_to_one_run_and_a_new_release(page, served):
    with open_instance(served.home) as instance:
        before = {run.run_id for run in instance.get_runs()}
    release = served.home.releases.live().release
    delta = {"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": "Velvet accordion"}
    (served.home.incoming / "dropped.jsonl").write_text(json.dumps(delta) + "\n", encoding="utf-8")

    def new_runs():
        with open_instance(served.home) as instance:
            return [run for run in instance.get_runs() if run.run_id not in before]

    _wait_for(new_runs)
    page.goto("/runs")
    page.get_by_text("stockroom/files: dropped.jsonl").wait_for()
    link = page.locator("a[href^='/runs/']").first.get_attribute("href")  # the newest run
    page.goto(link)
    page.get_by_text("Success", exact=True).first.wait_for()
    page.goto("/assets/releases/live")
    page.locator(f"a[href^='{link}']").first.wait_for()
    page.get_by_text("catalog", exact=True).first.wait_for()  # the kind of the release
    page.get_by_text("Passing", exact=True).first.wait_for()  # its freshness
    page.goto("/locations/stockroom/sensors/incoming")
    page.locator(f"a[href='{link}']").wait_for()
    _wait_for(lambda: (served.home.incoming / "done" / "dropped.jsonl").exists())
    moved_at = time.time()
    with open_instance(served.home) as instance:
        (sensor,) = [state for state in instance.all_instigator_state() if state.instigator_name == "incoming"]
        _wait_for(lambda: len(instance.get_ticks(sensor.instigator_origin_id, sensor.selector_id, after=moved_at)) >= 2)
    (run,) = new_runs()
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert link == f"/runs/{run.run_id}"
    assert served.home.releases.live().release == release + 1
    assert served.home.journal.run(run.run_id)["embeddings.texts"]["texts_encoded"] == 1


def _wait_for(happened):
    """Wait until something is so that no page shows."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_home_has_one_server(served):
    with pytest.raises(WarehouseError, match="another `stockroom ui` serves"):
        serve(served.home, "127.0.0.1", free_port(), lambda _: None)


def test_stopping_it_ends_every_process(served):
    assert len(served.processes()) >= 4
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(90) == 0
    assert served.processes() == []


def test_a_port_in_use_is_refused(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(WarehouseError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
            serve(open_home(load_settings(tmp_path)), "127.0.0.1", port, lambda _: None)


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """Return a server in whose place another process runs, and what it is taken to answer, one after another."""

    def run(code: str, *answers: Health | None) -> tuple[str, list[str]]:
        left, addresses = list(answers), []
        command = [sys.executable, "-c", code]
        monkeypatch.setattr(ui_server, "_start", lambda *_: subprocess.Popen(command, start_new_session=True))
        monkeypatch.setattr(ui_server, "ask", lambda *_: left.pop(0) if len(left) > 1 else left[0])
        for wait in ("_POLL_S", "_ASK_EVERY_S", "_PATIENCE_S"):
            monkeypatch.setattr(ui_server, wait, 0.01)
        with pytest.raises(WarehouseError) as ended:
            serve(open_home(load_settings(tmp_path)), "127.0.0.1", free_port(), addresses.append)
        return ended.value.message, addresses

    return run


WELL = Health(is_loading=False, load_error="", sick_daemons=())
LASTING = "import time; time.sleep(600)"


def test_no_address_is_printed_for_a_dead_server(stand_in):
    assert stand_in("", None) == ("Dagster, or a part of Dagster, ended by itself", [])


def test_no_address_is_printed_while_the_definitions_cannot_be_loaded(stand_in):
    loading, broken = replace(WELL, is_loading=True), replace(WELL, load_error="WarehouseError: setting x")
    message, addresses = stand_in(LASTING, None, loading, broken)
    assert (message, addresses) == ("Dagster cannot load the definitions: WarehouseError: setting x", [])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (None, "Dagster's web server no longer answers"),
        (replace(WELL, sick_daemons=("SENSOR",)), r"daemon gives no sign of life \(SENSOR\)"),
        (replace(WELL, load_error="ImportError: models.py"), "cannot load the definitions: ImportError: models.py"),
    ],
)
def test_a_part_that_dies_later_ends_the_server_and_is_named(stand_in, fault, message):
    sick = replace(WELL, sick_daemons=("SENSOR",))  # not yet begun
    output, addresses = stand_in(LASTING, sick, WELL, WELL, fault)
    assert re.search(message, output)
    assert len(addresses) == 1


def test_the_reported_reason_is_that_of_our_code():
    error = {"message": "DagsterImportError: …", "causes": [{"message": "WarehouseError: setting x\n  correct it\n"}]}
    entry = {"loadStatus": "LOADED", "locationOrLoadError": error}
    daemons = [{"daemonType": name, "required": name != "C", "healthy": name == "A"} for name in "ABC"]
    messages = {
        "workspaceOrError": {"locationEntries": [entry]},
        "instance": {"daemonHealth": {"allDaemonStatuses": daemons}},
    }
    assert health(messages) == Health(is_loading=False, load_error="WarehouseError: setting x", sick_daemons=("B",))


def test_a_server_whose_definitions_cannot_be_loaded_says_why_and_ends(tmp_path):
    home = open_home(load_settings(tmp_path))
    with pytest.raises(WarehouseError, match=r"cannot load the definitions: .*setting training\.epochs"):
        serve(home, "127.0.0.1", free_port(), pytest.fail, {"STOCKROOM_TRAINING__EPOCHS": "many"})


def test_runs_of_a_killed_server_are_marked_as_failed(tmp_path):
    home = open_home(load_settings(tmp_path))
    with open_instance(home) as instance:
        for run_id, tags in (("dead", {}), ("alive", COMMAND_LINE)):
            run = dg.DagsterRun(job_name="build", run_id=run_id, tags=tags, status=dg.DagsterRunStatus.STARTED)
            instance.add_run(run)
        fail_runs_of_a_dead_server(instance)
        assert {run.run_id: run.status.value for run in instance.get_runs()} == {"dead": "FAILURE", "alive": "STARTED"}
