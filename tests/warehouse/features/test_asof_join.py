"""The newest event at a time, compared with a loop over all events."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.features.asof_join import newest_events

TIME = pl.Datetime("us", "UTC")
DAY = timedelta(days=1)
START = datetime(2022, 6, 1, tzinfo=UTC)


def events(*rows):
    return pl.DataFrame(rows, schema={"entity_key": pl.String, "event_time": TIME}, orient="row")


def points(*rows):
    return pl.DataFrame(rows, schema={"entity_key": pl.String, "as_of": TIME}, orient="row")


def by_looking_at_all(event_list, point_list, ttl):
    places = []
    for entity, at in point_list:
        earlier_events = [(time, row) for row, (key, time) in enumerate(event_list) if key == entity and time <= at]
        time, row = max(earlier_events, default=(None, None))
        places.append(row if time is not None and at - time <= ttl else None)
    return places


@st.composite
def histories(draw):
    """Return events, points and a maximum age, on a grid of days or of microseconds, so that many times are equal."""
    step = draw(st.sampled_from([timedelta(microseconds=1), DAY, 100 * DAY]))
    entities = st.sampled_from(["us:A", "us:B", "jp:A", "jp:Ä"])
    moments = st.integers(0, 12).map(lambda steps: START + steps * step)
    event_list = draw(st.lists(st.tuples(entities, moments), max_size=30, unique=True))
    point_list = draw(st.lists(st.tuples(st.one_of(st.none(), entities, st.just("es:C")), moments), max_size=30))
    if draw(st.booleans()):
        event_list.sort()
    return event_list, point_list, draw(st.integers(0, 8)) * step


@settings(deadline=None, max_examples=200)
@given(histories())
def test_the_event_found_is_the_newest_at_the_time_and_young_enough(history):
    event_list, point_list, ttl = history
    places = newest_events(events(*event_list), points(*point_list), ttl // timedelta(microseconds=1))
    assert places.to_list() == by_looking_at_all(event_list, point_list, ttl)
    assert places.dtype == pl.UInt32


@pytest.mark.parametrize("ttl", [DAY, 1_000_000 * DAY, timedelta.max])
def test_times_of_thousands_of_years_do_not_run_into_another_entity(ttl):
    dawn, end = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
    event_list = [(f"us:{number:03}", time) for number in range(60) for time in (dawn, START, end)]
    point_list = [
        (f"us:{number:03}", time)
        for number in (59, 0, 30, 99)
        for time in (dawn, START - DAY, START, START + DAY, end - timedelta(microseconds=1), end)
    ]
    places = newest_events(events(*event_list), points(*point_list), ttl // timedelta(microseconds=1))
    assert places.to_list() == by_looking_at_all(event_list, point_list, ttl)
