"""As-of join: the newest event at or before each point in time, by one merge of sorted numbers."""

import numpy as np
import polars as pl

_Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]


def newest_events(events: pl.DataFrame, points: pl.DataFrame, ttl_us: int) -> pl.Series:
    """Return for each point the row number of the latest event at or before its time; null if there is none.

    Events of other entities and events older than the maximum age do not count. Entity and time become one number,
    entity · width + time, with a larger gap between two entities than any age, so that one merge of sorted numbers finds all
    matches. Events sorted by entity and time need neither sorting nor hashing.

    Args:
        events: entity_key (text) and event_time (µs, UTC), unique pairs.
        points: entity_key (text or null) and as_of (µs, UTC), in any order.
        ttl_us: The maximum age of an event, in µs.

    Returns:
        Row numbers of `events` (uint32), one per point.
    """
    if not events.height or not points.height:
        return pl.Series(pl.repeat(None, points.height, dtype=pl.UInt32, eager=True))
    entities, event_entities = _numbered(events["entity_key"])
    numbered_points = points.select("entity_key").join(entities, on="entity_key", how="left", maintain_order="left")
    point_entities = numbered_points["entity"].fill_null(-1).to_numpy()
    event_times, point_times = _microseconds(events["event_time"]), _microseconds(points["as_of"])
    first = min(int(event_times.min()), int(point_times.min()))
    span = max(int(event_times.max()), int(point_times.max())) - first
    age = min(ttl_us, span)
    width = span + age + 1
    # Thousands of years for thousands of entities overflow one number; then the join is by entity.
    by = None if width * (entities.height + 1) < 1 << 63 else "entity"
    if by is None:
        event_times = event_entities * width + (event_times - first)
        point_times = point_entities * width + (point_times - first)
    matches = _sorted(point_times, point_entities, "point", by).join_asof(
        _sorted(event_times, event_entities, "event", by),
        on="at",
        by=by,
        strategy="backward",
        tolerance=age,
        check_sortedness=False,  # the frames are sorted; Polars cannot check it together with `by`
    )
    place = np.full(points.height, -1, dtype=np.int64)
    place[matches["point"].to_numpy()] = matches["event"].fill_null(-1).to_numpy()
    return pl.select(row=pl.when(pl.lit(pl.Series(place)) >= 0).then(pl.Series(place)).cast(pl.UInt32))["row"]


def _numbered(keys: pl.Series) -> tuple[pl.DataFrame, _Numbers]:
    """Number the entities from 0; return the entities with their numbers, and the number of each row."""
    is_new = (keys != keys.shift(1)).fill_null(True)
    entities = keys.filter(is_new).to_frame().with_row_index("entity").cast({"entity": pl.Int64})
    if entities["entity_key"].n_unique() == entities.height:  # every entity's rows are contiguous
        return entities, is_new.cast(pl.Int64).cum_sum().to_numpy() - 1
    entities = keys.unique().to_frame().with_row_index("entity").cast({"entity": pl.Int64})
    rows = keys.to_frame().join(entities, on="entity_key", how="left", maintain_order="left")
    return entities, rows["entity"].to_numpy()


def _sorted(at: _Numbers, entities: _Numbers, name: str, by: str | None) -> pl.DataFrame:
    """Return the rows in the order of `at`: the row number as `name`, `at`, and the entity if `by` is set."""
    order = np.arange(len(at))
    if not (at[1:] >= at[:-1]).all():
        order = np.argsort(at)
        at = at[order]
    frame = pl.DataFrame({name: order, "at": at}).set_sorted("at")
    return frame if by is None else frame.with_columns(pl.Series(by, entities[order]))


def _microseconds(times: pl.Series) -> _Numbers:
    return times.cast(pl.Datetime("us", "UTC")).to_physical().to_numpy()
