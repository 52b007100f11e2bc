"""What is said where judged pairs see no event."""

from datetime import UTC, datetime

import pytest

from assets.services.event_dates import warning
from warehouse.features.training_lookup import PairCoverage

UNTIL = datetime(2022, 6, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seen", "parts"),
    [
        ({}, []),
        ({"timeseries.prices": PairCoverage(0.2, None)}, []),
        (
            {"timeseries.prices": PairCoverage(0.0, None)},
            ["no judged pair sees a value of timeseries.prices: the keys are others"],
        ),
        (
            {"timeseries.prices": PairCoverage(0.0, UNTIL), "timeseries.stock": PairCoverage(0.0, None)},
            [
                "every event of timeseries.prices is later than the newest judgement (2022-06-14)",
                "set warehouse.judged_at to",
                "no judged pair sees a value of timeseries.stock",
            ],
        ),
    ],
)
def test_tables_that_no_pair_sees_are_named_with_the_setting(seen, parts):
    text = warning(seen)
    assert bool(text) == bool(parts)
    assert all(part in text for part in parts)
