"""The quality page: the metrics are those of the lake, and changed queries lead to their comparison."""

import re
from html import unescape

import pytest

from orchestration.service.pages.views.quality import PAIRS, Lead, Quality, pair_of
from warehouse.errors import WarehouseError


def test_the_metrics_are_those_of_the_lake(client, live):
    text = client.get("/quality").text
    release = live.home.releases.live()
    with live.home.lake.reading() as connection:
        rows = connection.execute(
            "SELECT ranker, value FROM evaluation.metrics "
            "WHERE model_id = ? AND locale = 'all' AND slice = 'all' AND metric = 'ndcg' AND NOT contains(ranker, '_minus_')",
            [release.model_id],
        ).fetchall()
    assert rows
    for ranker, value in rows:
        assert re.search(rf'<th scope="row">{ranker}</th>\s*<td class="right">{value:.4f}</td>', text)
    assert "The gate" in text
    assert '<span class="live">live</span>' in text


@pytest.mark.parametrize("pair", PAIRS)
def test_a_changed_query_is_a_link_to_its_comparison(client, pair):
    text = client.get("/quality", params={"pair": "-".join(pair)}).text
    changed = text.split('id="changed"')[1].split(">Releases<")[0]
    assert "Improved most" in changed
    assert "Harmed most" in changed
    for link in re.findall(r'href="(/compare[^"]*)"', changed)[:1]:
        answer = client.get(unescape(link))
        assert answer.status_code == 200
        assert "Judged products of this query" in answer.text


def test_a_wrong_pair_is_refused(client):
    assert client.get("/quality", params={"pair": "a-b"}).status_code == 400
    with pytest.raises(WarehouseError, match="no two rankers"):
        pair_of("ranked-ranked")


def test_differences_without_any_interval_are_known_as_such():
    lead = Lead("ranked against model", "ndcg", 0.1, None, None, 3, None)
    assert not Quality([], {}, 3, [lead], [], None, [], []).has_intervals
