"""The log of a search page: what shoppers saw and did, simulated from the true labels.

An old search engine ranks the judged products of a query by label and noise, and shows ten of them. A shopper looks at a place
less often the further down it is, and clicks what is seen by its label, by chance or by mistake. So clicks depend on
relevance and on the place alike, as in real logs.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl

from warehouse.sample.catalog import Catalog, product_id
from warehouse.sample.queries import Query, draw_queries

LANGUAGE_TAGS = ("en-US", "es-ES", "ja-JP")
"""The language tag of each locale, in the order of `LOCALES`."""
COLUMNS = ("time", "session", "lang", "query", "sku", "position", "clicked", "added_to_cart", "ordered")
LOG_DEFECTS = {"unknown_product": 0.01, "blank_query": 0.005, "robot_session": 0.002, "repeated_row": 0.002}
"""Share of the rows or sessions by kind."""
SHOWN = 10
_LABELS = "ESCI"
_WORTH = np.array([1.0, 0.6, 0.3, 0.0])
_CLICK = np.array([0.50, 0.16, 0.08, 0.02])
_CART = np.array([0.35, 0.15, 0.10, 0.02])
_ORDER = np.array([0.50, 0.35, 0.30, 0.10])
_SEEN_AT = 1 / np.arange(1, SHOWN + 1) ** 0.7
_NOISE_OF_ENGINE, _NOISE_OF_SESSION = 0.5, 0.25
_MOST_SESSIONS = 300
_FIRST_SECOND = 1_709_510_400  # 2024-03-04 in UTC
_SECONDS = 28 * 86_400
_SESSION_STEP = 2_654_435_761  # odd, so that session number -> name is one to one
_ROWS_AT_ONCE = 1_000_000
_EVENTS = ("clicked", "added_to_cart", "ordered")
_NO_SESSIONS = pl.DataFrame(
    schema={"number": pl.Int64(), "second": pl.Int64(), "query": pl.String(), "lang": pl.String()}
)
_NOTHING_SHOWN = pl.DataFrame(
    schema={"number": pl.Int64(), "row": pl.Int32(), "position": pl.Int8()} | dict.fromkeys(_EVENTS, pl.Boolean())
)


def write_log(path: Path, codes: Catalog, seed: int, brand_seed: int) -> tuple[int, Counter[str], Counter[str]]:
    """Write the log as TSV in the order of time, one row for each product that was shown.

    Returns:
        The number of rows, the events by kind, and the added defects by kind.
    """
    sessions, impressions = _simulate(codes, seed, brand_seed)
    sessions, impressions, defects = _add_defects(sessions, impressions, np.random.default_rng([seed, 11]))
    with path.open("wb") as file:
        file.write(("\t".join(COLUMNS) + "\n").encode())
        for rows in impressions.iter_slices(_ROWS_AT_ONCE):
            text = rows.drop("second").join(sessions, on="number", how="left", maintain_order="left")
            text = text.with_columns(sku=_skus(rows["row"], codes), time=pl.from_epoch("second"))
            text.select(COLUMNS).with_columns(pl.col(_EVENTS).cast(pl.Int8)).write_csv(
                file, separator="\t", include_header=False, datetime_format="%Y-%m-%d %H:%M:%S"
            )
    events = {"shown": impressions.height} | {name: int(impressions[name].sum()) for name in _EVENTS}
    return impressions.height, Counter(events), defects


def _simulate(codes: Catalog, seed: int, brand_seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the sessions, and the shown products in the order of time; a product is the number of its catalog row."""
    sessions, impressions, start = [_NO_SESSIONS], [_NOTHING_SHOWN], 0
    for number, query in enumerate(draw_queries(codes, seed, brand_seed)):
        rng = np.random.default_rng([seed, 10, number])
        count = min(2 + int(6 * rng.pareto(1.5)), _MOST_SESSIONS)
        typed = [_typed(query.text, rng) for _ in range(count)]
        columns = {
            "number": np.arange(start, start + count),
            "second": _FIRST_SECOND + rng.integers(_SECONDS, size=count),
            "query": typed,
            "lang": [LANGUAGE_TAGS[query.locale]] * count,
        }
        sessions.append(pl.DataFrame(columns, schema=_NO_SESSIONS.schema))
        impressions.append(_result_pages(query, start, count, rng))
        start += count
    every = pl.concat(sessions)
    names = pl.Series("session", [f"{number * _SESSION_STEP % 2**32:08x}" for number in range(start)], pl.String)
    rows = pl.concat(impressions).join(every.select("number", "second"), on="number", how="left")
    return every.with_columns(names), rows.sort("second", "number", "position")


def _result_pages(query: Query, start: int, count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Simulate the sessions of one query: the products that each shows, and what the shopper does."""
    labels = np.array([_LABELS.index(label) for label in query.labels])
    scores = _WORTH[labels] + rng.normal(0, _NOISE_OF_ENGINE, len(labels))
    ranks = np.argsort(-(scores + rng.normal(0, _NOISE_OF_SESSION, (count, len(labels)))), axis=1)[:, :SHOWN]
    label = labels[ranks]  # (session, position)
    clicked = (rng.random(label.shape) < _SEEN_AT[: label.shape[1]]) & (rng.random(label.shape) < _CLICK[label])
    carted = clicked & (rng.random(label.shape) < _CART[label])
    ordered = carted & (rng.random(label.shape) < _ORDER[label])
    columns = {
        "number": np.repeat(np.arange(start, start + count), label.shape[1]),
        "row": np.array(query.rows)[ranks].ravel(),
        "position": np.tile(np.arange(1, label.shape[1] + 1), count),
        "clicked": clicked.ravel(),
        "added_to_cart": carted.ravel(),
        "ordered": ordered.ravel(),
    }
    return pl.DataFrame(columns, schema=_NOTHING_SHOWN.schema)


def _typed(text: str, rng: np.random.Generator) -> str:
    """Return a query as one shopper types it: mostly as it is, else in capitals, with odd blanks, or with two signs swapped."""
    way = rng.random()
    if way < 0.75:
        return text
    if way < 0.87:
        return text.capitalize()
    if way < 0.90:
        return text.upper()
    if way < 0.96:
        return text.replace(" ", "  ", 1) if rng.random() < 0.5 else f"{text} "
    at = int(rng.integers(len(text)))
    return f"{text[:at]}{text[at : at + 2][::-1]}{text[at + 2 :]}".strip()


def _add_defects(
    sessions: pl.DataFrame, impressions: pl.DataFrame, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame, Counter[str]]:
    """Add defects to some sessions and rows, repeat some rows, and count each kind."""
    blank, robot = (rng.random(sessions.height) < LOG_DEFECTS[kind] for kind in ("blank_query", "robot_session"))
    unknown, repeated = (
        rng.random(impressions.height) < LOG_DEFECTS[kind] for kind in ("unknown_product", "repeated_row")
    )
    sessions = sessions.with_columns(query=pl.when(pl.Series(blank)).then(pl.lit("")).otherwise("query"))
    impressions = impressions.with_columns(
        row=pl.when(pl.Series(unknown)).then(-1 - pl.col("row")).otherwise("row"),
        clicked=pl.col("clicked") | pl.Series(robot[impressions["number"].to_numpy()]),
    )
    impressions = impressions[np.repeat(np.arange(impressions.height), 1 + repeated)]
    is_defect = {"unknown_product": unknown, "blank_query": blank, "robot_session": robot, "repeated_row": repeated}
    return sessions, impressions, Counter({kind: int(rows.sum()) for kind, rows in is_defect.items()})


def _skus(rows: pl.Series, codes: Catalog) -> pl.Series:
    """Return the id of each product; a row below zero is a product that left the catalog, whose id has a Z in second place."""
    each = rows.unique(maintain_order=True)
    ids = [product_id(int(codes.item[row])) if row >= 0 else f"BZ{-row:08d}" for row in each]
    return rows.replace_strict(each, pl.Series(ids, dtype=pl.String), return_dtype=pl.String)
