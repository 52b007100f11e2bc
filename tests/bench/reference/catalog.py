"""Catalog: a straightforward pandas version of raw files to training pairs, run by full_size.py in its own environment.

It cleans, makes the features that pandas says in a line, and grades pairs. It does less than what it stands beside: no sizes,
prices or scripts, no quarantine, no hashes, no snapshots, no contracts, and everything is held in memory.
"""

import html
import json
import re
import resource
import sys
import time
import unicodedata
from pathlib import Path

import pandas as pd

TAG = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufffd]")
WORD = re.compile(r"[^\W_]+")
NUMBER = re.compile(r"\d+(?:[.,]\d+)?", re.ASCII)
GAIN = {"E": 1.0, "S": 0.1, "C": 0.01, "I": 0.0}


def bare(text: str) -> str:
    """Take markup, entities and invisible characters out of a text."""
    before = None
    text = unicodedata.normalize("NFKC", INVISIBLE.sub("", text))
    while text != before:
        before = text
        text = unicodedata.normalize("NFKC", INVISIBLE.sub("", html.unescape(TAG.sub(" ", text))))
    return text


def line(text: str) -> str | None:
    """Clean a text that stands on one line."""
    return " ".join(bare(text).split()) or None


def lines(text: str) -> str | None:
    """Clean a text and keep its lines."""
    folded = (" ".join(part.split()) for part in bare(text).split("\n"))
    return "\n".join(part for part in folded if part) or None


def words(text: str | None) -> list[str]:
    """Return the words of a text, in lower case."""
    return WORD.findall((text or "").lower())


def phrase(text: str | None) -> str:
    """Return a text's words between blanks."""
    return f" {' '.join(words(text))} "


def column(frame: pd.DataFrame, name: str, clean=line) -> pd.Series:
    """Return a column cleaned row by row; what is missing is None."""
    cleaned = [clean(value) if isinstance(value, str) else None for value in frame[name]]
    return pd.Series(cleaned, index=frame.index, dtype=object)


def staged_products(raw: Path) -> pd.DataFrame:
    """Read, check and clean the products."""
    frame = pd.read_parquet(raw / "shopping_queries_dataset_products.parquet")
    frame = frame[(frame.product_id != "") & (frame.product_title.str.strip() != "")]
    frame = frame.assign(key=frame.product_locale + ":" + frame.product_id).drop_duplicates("key")
    return pd.DataFrame(
        {
            "key": frame.key,
            "title": column(frame, "product_title"),
            "description": column(frame, "product_description"),
            "bullet_points": column(frame, "product_bullet_point", lines),
            "brand": column(frame, "product_brand"),
            "color": column(frame, "product_color"),
        }
    )


def product_features(products: pd.DataFrame) -> pd.DataFrame:
    """Return what is known of a product before any query."""
    bullets = products.bullet_points.fillna("")
    is_present = products[["description", "bullet_points", "brand", "color"]].notna()
    return pd.DataFrame(
        {
            "key": products.key,
            "title_chars": products.title.str.len(),
            "title_words": products.title.str.count(" ") + 1,
            "title_numbers": products.title.str.count("[0-9]+"),
            "description_chars": products.description.fillna("").str.len(),
            "bullet_count": bullets.str.count("\n") + (bullets != ""),
            "bullet_chars": bullets.str.len(),
            "completeness": is_present.sum(axis=1) / 4,
            "has_brand_in_title": [
                brand is not None and brand.lower() in title.lower()
                for brand, title in zip(products.brand, products.title, strict=True)
            ],
        }
    )


def graded_pairs(raw: Path, products: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the features of the judged pairs, and the graded pairs to train and measure on."""
    frame = pd.read_parquet(raw / "shopping_queries_dataset_examples.parquet")
    frame = frame[frame.esci_label.isin(list(GAIN)) & (frame.product_id != "")]
    frame = frame.assign(product_key=frame.product_locale + ":" + frame.product_id)
    frame["query_key"] = frame.product_locale + ":" + frame.query_id.astype(str)
    frame["key"] = frame.query_key + ":" + frame.product_id
    frame = frame.drop_duplicates("key").merge(
        products, left_on="product_key", right_on="key", suffixes=("", "_product")
    )
    first = frame.sort_values("example_id").drop_duplicates("query_key").set_index("query_key")
    queries = pd.DataFrame({"query": column(first, "query"), "split": first.split, "locale": first.product_locale})
    frame["query"] = frame.query_key.map(queries["query"])
    query_texts = {
        query: (set(words(query)), phrase(query), set(NUMBER.findall(query))) for query in queries["query"].unique()
    }
    rows = []
    for query, title, brand, color in zip(frame["query"], frame.title, frame.brand, frame.color, strict=True):
        query_words, query_phrase, numbers = query_texts[query]
        own = set(words(" ".join(part for part in (title, brand, color) if part)))
        common, common_numbers = len(query_words & own), len(numbers & set(NUMBER.findall(title)))
        rows.append(
            (
                common,
                common / max(len(query_words), 1),
                common / max(len(own), 1),
                common_numbers,
                bool(numbers) and common_numbers == len(numbers),
                brand is not None and bool(words(brand)) and phrase(brand) in query_phrase,
                color is not None and bool(words(color)) and phrase(color) in query_phrase,
            )
        )
    names = "common_words common_share title_share common_numbers has_number_match has_brand_match has_color_match"
    features = pd.DataFrame(rows, columns=names.split(), index=frame.index).assign(key=frame.key)
    folded = queries.locale + ":" + queries["query"].str.lower()
    leaked = queries.index[(queries.split == "train") & folded.isin(folded[queries.split == "test"])]
    pairs = frame[~frame.query_key.isin(leaked)]
    pairs = pd.DataFrame({"key": pairs.key, "query": pairs["query"], "label": pairs.esci_label})
    return features, pairs.assign(gain=pairs.label.map(GAIN))


def main(raw: Path, out: Path) -> None:
    """Make the tables and tell the seconds and the peak memory."""
    started = time.perf_counter()
    products = staged_products(raw)
    features = product_features(products)
    pair_features, pairs = graded_pairs(raw, products)
    for name, frame in {
        "staging.products": products,
        "features.products": features,
        "features.pairs": pair_features,
        "training.pairs": pairs,
    }.items():
        frame.to_parquet(out / f"{name}.parquet", compression="zstd", index=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": time.perf_counter() - started, "peak_mb": peak}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
