"""A new release is followed without a failed request, and no answer is of two releases."""

import threading

from orchestration.commands.apply import apply
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.service.release_follower import ReleaseFollower


def test_requests_go_on_while_a_release_is_opened_beside_the_old_one(copy_home, tmp_path):
    run_context = open_run_context(load_settings(copy_home()))
    live = ReleaseFollower(run_context.home, run_context.encoder)
    before, failed, seen, stop = live.served(), [], set(), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            served = live.served()
            try:
                hits = served.searcher.search("velvet accordion", 1)
                served.lookup.products([hits[0].key])
            except Exception as error:  # noqa: BLE001
                failed.append(error)
            seen.add((served.release.release, hits[0].key == "us:N1"))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    live.start(0.05)
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": "Velvet accordion"}\n',
        encoding="utf-8",
    )
    report = apply(run_context, [path])
    live.refresh()
    while (report.release, True) not in seen:
        assert not failed, failed
    stop.set()
    for thread in threads:
        thread.join()
    live.stop()
    assert not failed
    assert seen == {(before.release.release, False), (report.release, True)}
    assert before.searcher.release == before.lookup.release == before.release  # who took it may keep it
    assert before.searcher.search("velvet accordion", 1)[0].key != "us:N1"
