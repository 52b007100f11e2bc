"""Judged pairs, product vectors and searches never use a time-series feature from the future or one past its TTL."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import FeatureView
from warehouse.errors import WarehouseError
from warehouse.features import feature_views, point_in_time, training_lookup
from warehouse.lake import tables
from warehouse.settings import WarehouseSettings

START = datetime(2022, 6, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")


def declare(**changes):
    price = {"name": "price", "meaning": "price in USD", "tower": "numeric"}
    given = {"name": "prices", "file": "f.parquet", "entity": "product", "ttl_days": 30, "columns": [price]}
    return FeatureView(**{**given, **changes})


@pytest.fixture
def lake(lake_in_memory) -> Iterator[duckdb.DuckDBPyConnection]:
    with lake_in_memory() as connection:
        for table in ("training.pairs", "staging.judgements", "staging.queries", "raw.files"):
            tables.ensure(connection, CONTRACTS[table])
        yield connection


@contextmanager
def undone(connection):
    """Undo an example, so that the next one starts with an empty lake."""
    connection.begin()
    try:
        yield
    finally:
        connection.rollback()


def fill(connection, table, events):
    rows = {"entity_key": [], "event_time": [], "price": []}
    for entity, time, price in events:
        for column, value in zip(rows, (entity, time, price), strict=True):
            rows[column].append(value)
    frame = pl.DataFrame(rows, schema={"entity_key": pl.String, "event_time": TIME, "price": pl.Float64})
    tables.refresh_from(
        connection, table.contract, frame.with_columns(key=pl.format("{}@{}", "entity_key", "event_time"))
    )


def resolve(connection, pairs):
    """Put pairs (key, product_key, context_key, judged_at) into training.pairs."""
    schema = {"key": pl.String, "product_key": pl.String, "context_key": pl.String, "judged_at": TIME}
    frame = pl.DataFrame(pairs, schema=schema, orient="row").with_columns(query_key="key")
    connection.register("pairs_given", frame)
    connection.execute("INSERT INTO training.pairs BY NAME FROM pairs_given")


def register(connection, *declared, **settings):
    feature_views.register(connection, declared, WarehouseSettings(**settings))


@st.composite
def histories(draw):
    """Return events, points and a maximum age on a narrow grid, so that times are equal and ages meet the limit."""
    step = timedelta(microseconds=draw(st.sampled_from([1, 60_000_000, 86_400_000_000])))
    entities = st.sampled_from(["us:A", "us:B", "jp:A"])
    time = st.integers(0, 12)
    events = draw(
        st.lists(
            st.tuples(entities, time, st.one_of(st.none(), st.floats(-9, 9))),
            max_size=25,
            unique_by=lambda event: event[:2],
        )
    )
    points = draw(st.lists(st.tuples(st.one_of(st.none(), entities, st.just("us:C")), time), min_size=1, max_size=25))
    age = draw(st.integers(1, 6)) * step
    return (
        [(entity, START + time * step, price) for entity, time, price in events],
        [(entity, START + time * step) for entity, time in points],
        age,
    )


def in_force(events, entity, time, ttl):
    """Return the valid price by a loop over all events."""
    earlier_events = [(at, price) for key, at, price in events if key == entity and at <= time]
    if not earlier_events:
        return None
    at, price = max(earlier_events, key=lambda event: event[0])
    return price if time - at <= ttl else None


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories())
def test_every_look_up_agrees_with_looking_at_every_event(lake, history) -> None:
    events, points, ttl = history
    table = declare(ttl_days=ttl / timedelta(days=1))
    expected = [in_force(events, entity, time, ttl) for entity, time in points]
    with undone(lake):
        fill(lake, table, events)
        resolve(lake, [(f"{row:02}", entity, None, time) for row, (entity, time) in enumerate(points)])
        register(lake, table)
        training_lookup.match_pairs(lake)

        frame = pl.DataFrame(points, schema={"key": pl.String, "time": TIME}, orient="row")
        searched = point_in_time.add_features(lake, frame, {"product": "key"}, pl.col("time"))
        keys = pl.DataFrame({"key": [f"{row:02}" for row in range(len(points))]})
        trained = training_lookup.add_training_features(lake, keys)

        assert searched["prices.price"].to_list() == expected
        assert trained["prices.price"].to_list() == expected
        assert training_lookup.broken_pairs(lake) == 0


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), price=st.floats(100, 999))
def test_events_after_the_last_point_change_nothing(lake, history, price) -> None:
    events, points, ttl = history
    table = declare(ttl_days=ttl / timedelta(days=1))
    after = max(time for _, time in points) + timedelta(microseconds=1)
    late = [(entity, after, price) for entity in ("us:A", "us:B", "jp:A")]
    frame = pl.DataFrame(points, schema={"entity_key": pl.String, "as_of": TIME}, orient="row")
    answers = []
    for earlier_events in ([event for event in events if event[1] < after], [e for e in events if e[1] < after] + late):
        with undone(lake):
            fill(lake, table, earlier_events)
            answers.append(point_in_time.look_up(lake, table, frame))
    assert answers[0].equals(answers[1])


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(microseconds=-1), None),
        (timedelta(0), 1.0),
        (timedelta(days=30), 1.0),
        (timedelta(days=30, microseconds=1), None),
    ],
)
def test_a_value_counts_from_its_very_time_up_to_its_very_maximum_age(lake, after, expected) -> None:
    table = declare()
    fill(lake, table, [("us:A", START, 1.0)])
    points = pl.DataFrame({"entity_key": ["us:A"], "as_of": [START + after]}, schema_overrides={"as_of": TIME})
    assert point_in_time.look_up(lake, table, points)["prices.price"].to_list() == [expected]


def test_the_check_detects_an_event_from_the_future_and_one_too_old(lake) -> None:
    table = declare()
    fill(lake, table, [("us:A", START, 1.0)])
    resolve(lake, [("p", "us:A", None, START)])
    register(lake, table)
    training_lookup.match_pairs(lake)
    assert training_lookup.broken_pairs(lake) == 0
    lake.execute("UPDATE training.point_in_time SET event_time = judged_at + INTERVAL 1 MICROSECOND")
    assert training_lookup.broken_pairs(lake) == 1
    lake.execute("UPDATE training.point_in_time SET event_time = judged_at - INTERVAL 30 DAY - INTERVAL 1 MICROSECOND")
    assert training_lookup.broken_pairs(lake) == 1


def test_a_missing_value_in_the_newest_event_is_missing(lake) -> None:
    table = declare()
    fill(lake, table, [("us:A", START, 1.0), ("us:A", START + timedelta(days=1), None)])
    points = pl.DataFrame(
        {"entity_key": ["us:A"], "as_of": [START + timedelta(days=2)]}, schema_overrides={"as_of": TIME}
    )
    assert point_in_time.look_up(lake, table, points)["prices.price"].to_list() == [None]


def test_the_as_of_time_is_the_setting_else_the_newest_judgement_else_judged_at(lake) -> None:
    settings = WarehouseSettings(judged_at=datetime(2022, 1, 1, tzinfo=UTC))
    assert feature_views.as_of(lake, settings) == datetime(2022, 1, 1, tzinfo=UTC)
    lake.execute(
        "INSERT INTO staging.judgements (key, judged_at) VALUES ('a', '2022-03-01 00:00:00Z'), ('b', '2022-05-01 00:00:00Z')"
    )
    assert feature_views.as_of(lake, settings) == datetime(2022, 5, 1, tzinfo=UTC)
    named = settings.model_copy(update={"as_of": datetime(2021, 1, 1)})  # noqa: DTZ001 - people leave the zone out: UTC
    assert feature_views.as_of(lake, named) == datetime(2021, 1, 1, tzinfo=UTC)


def test_events_later_than_the_judgements_move_the_as_of_time(lake) -> None:
    table, settings = declare(), WarehouseSettings(judged_at=datetime(2022, 1, 1, tzinfo=UTC))
    fill(
        lake, table, [("us:A", datetime(2021, 1, 1, tzinfo=UTC), 1.0), ("us:B", datetime(2024, 3, 1, tzinfo=UTC), 2.0)]
    )
    assert feature_views.as_of(lake, settings, [table]) == datetime(2024, 3, 1, tzinfo=UTC)
    feature_views.register(lake, [table], settings)
    assert feature_views.declarations(lake)[0].as_of == feature_views.as_of(lake, settings)
    assert feature_views.as_of(lake, settings) == datetime(2024, 3, 1, tzinfo=UTC)
    feature_views.register(lake, [], settings)
    assert feature_views.as_of(lake, settings) == datetime(2022, 1, 1, tzinfo=UTC)


def test_the_share_of_pairs_that_see_an_event_is_told_and_whether_all_events_are_later(lake) -> None:
    table = declare()
    assert training_lookup.seen_events(lake) == {}
    fill(lake, table, [("us:A", START + timedelta(days=2), 1.0)])
    register(lake, table)
    training_lookup.match_pairs(lake)
    assert training_lookup.seen_events(lake) == {table.table: (0.0, None)}  # no pair is judged
    resolve(lake, [("1", "us:A", None, START), ("2", "us:A", None, START + timedelta(days=1))])
    training_lookup.match_pairs(lake)
    assert training_lookup.seen_events(lake) == {table.table: (0.0, START + timedelta(days=1))}
    resolve(lake, [(str(number), "us:A", None, START + timedelta(days=2)) for number in (3, 4)])
    training_lookup.match_pairs(lake)
    assert training_lookup.seen_events(lake) == {table.table: (0.5, None)}


def test_product_features_are_those_of_the_as_of_time(lake) -> None:
    table = declare()
    fill(lake, table, [("us:A", START, 1.0), ("us:A", START + timedelta(days=9), 9.0)])
    register(lake, table, as_of=START + timedelta(days=3))
    frame = point_in_time.add_features(lake, pl.DataFrame({"key": ["us:A", "us:B"]}), {"product": "key"})
    assert frame.to_dicts() == [{"key": "us:A", "prices.price": 1.0}, {"key": "us:B", "prices.price": None}]


def test_a_table_that_is_declared_no_more_is_dropped(lake) -> None:
    table = declare()
    fill(lake, table, [("us:A", START, 1.0)])
    register(lake, table)
    assert [one.table for one in feature_views.declarations(lake)] == [table]
    register(lake)
    assert feature_views.declarations(lake) == []
    assert not tables.exists(lake, "timeseries.prices")
    training_lookup.match_pairs(lake)
    assert tables.count(lake, "training.point_in_time") == 0


def test_pairs_see_the_features_of_their_query_and_of_their_context(lake) -> None:
    visits, groups = declare(name="visits", entity="query"), declare(name="groups", entity="context")
    fill(lake, visits, [("p1", START, 1.0)])
    fill(lake, groups, [("young", START, 2.0)])
    resolve(lake, [("p1", "us:A", "young", START), ("p2", "us:A", None, START)])
    register(lake, visits, groups)
    training_lookup.match_pairs(lake)
    features = training_lookup.add_training_features(lake, pl.DataFrame({"key": ["p1", "p2"]}))
    assert features.rows() == [("p1", 2.0, 1.0), ("p2", None, None)]
    assert training_lookup.pairs_with_values(lake) == {"timeseries.groups": 1, "timeseries.visits": 1}


def test_a_search_looks_up_the_query_and_the_context_at_its_time(lake) -> None:
    visits, groups = declare(name="visits", entity="query"), declare(name="groups", entity="context")
    day = timedelta(days=1)
    fill(lake, visits, [("us:7", START, 1.0), ("us:7", START + day, 7.0)])
    fill(lake, groups, [("young", START, 2.0)])
    register(lake, visits, groups, as_of=START)
    lake.execute(
        "INSERT INTO staging.queries (key, locale, query) VALUES ('us:8', 'us', 'Red Mug'), ('us:7', 'us', 'red mug')"
    )
    assert point_in_time.known_query(lake, "RED mug", "us") == "us:7"
    assert point_in_time.known_query(lake, "red mug", "jp") is None
    assert point_in_time.known_query(lake, "red mug", None) is None

    searches = pl.DataFrame({"query_words": [2]})
    plain = point_in_time.add_search_features(lake, searches, ["us:7"])
    assert plain.to_dicts() == [{"query_words": 2, "groups.price": None, "visits.price": 1.0}]
    later = point_in_time.add_search_features(lake, searches, ["us:7"], "young", START + day)
    assert later.to_dicts() == [{"query_words": 2, "groups.price": 2.0, "visits.price": 7.0}]
    unknown = point_in_time.add_search_features(lake, searches, [None], "nobody", START + day)
    assert unknown.to_dicts() == [{"query_words": 2, "groups.price": None, "visits.price": None}]


def test_a_context_in_no_table_is_refused(lake: duckdb.DuckDBPyConnection) -> None:
    groups = declare(name="groups", entity="context")
    register(lake, groups)
    fill(lake, groups, [("young", START, 30.0)])
    point_in_time.check_context(lake, "young")
    with pytest.raises(WarehouseError, match="no time-series table has the context 'yuong'"):
        point_in_time.check_context(lake, "yuong")
