"""Event dates: what to say where judged pairs see no event of a time-series table."""

from collections.abc import Mapping

from warehouse.features.training_lookup import PairCoverage


def warning(coverages: Mapping[str, PairCoverage]) -> str | None:
    """Return one line on the tables of which no judged pair sees an event, with the setting that changes it; else None."""
    parts = []
    later = {name: each.judged_until for name, each in coverages.items() if each.judged_until}
    if later:
        until = max(later.values())
        parts.append(
            f"every event of {', '.join(later)} is later than the newest judgement ({until:%Y-%m-%d}), so no judged pair sees a "
            "value: set warehouse.judged_at to the time of the judgements, or give them an event_time"
        )
    other = [name for name, each in coverages.items() if not each.share and name not in later]
    if other:
        parts.append(
            f"no judged pair sees a value of {', '.join(other)}: the keys are others, or the events lie after the judgements or "
            "further back than ttl_days"
        )
    return "; ".join(parts) or None
