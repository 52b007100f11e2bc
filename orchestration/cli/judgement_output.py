"""The output where little is judged: what judgements would buy, and the searches for known products."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.cli.output import console, show_fact, show_rows, show_title
from warehouse.wording import counted

_RANKERS = ("vector", "text", "ranked")
_METRICS = ("recall@1", "recall@10", "recall@100", "mrr")
_WHOLE = "all"

KnownItems = Sequence[Mapping[str, Any]]
"""Rows of evaluation.known_items."""


def show_judged(judged: Mapping[str, Any]) -> None:
    """Print how many queries are judged where they are too few, and what more of them would buy; nothing where they suffice."""
    queries, needed = judged["queries"], judged["needed"]
    lacks_train, lacks_validation = (queries[split] < needed[split] for split in ("train", "validation"))
    if not (lacks_train or lacks_validation):
        return
    parts = []
    if not judged["judgements"]:
        parts.append("none: a search orders by encoder and words, half each")
    elif lacks_train:
        parts.append(f"too few to train on: {counted(queries['train'], 'query', 'queries')} of {needed['train']:,}")
    if judged["judgements"] and lacks_validation:
        parts.append(
            "too few to choose between ways to order: "
            f"{counted(queries['validation'], 'validation query', 'validation queries')} of {needed['validation']:,}"
        )
    wanted = []
    if lacks_train:
        wanted.append(f"a build trains a model from about {judged['to_train']:,} judged queries on")
    if lacks_validation and judged["to_choose"]:
        wanted.append(
            f"{'' if wanted else 'a build '}chooses between ways to order from about {judged['to_choose']:,} on"
        )
    show_fact("judgements", "; ".join([*parts, ", and ".join(wanted)] if wanted else parts))


def show_known_items(rows: KnownItems) -> None:
    """Print how often a product is found by words of its own title, and what the vector index finds."""
    whole = {(row["ranker"], row["metric"]): row for row in rows if row["locale"] == _WHOLE}
    rankers = [ranker for ranker in _RANKERS if (ranker, "mrr") in whole]
    if rankers:
        count = whole[rankers[0], "mrr"]["queries"]
        show_title(f"known products: {counted(count, 'search', 'searches')} by words of the product's own title")
        values = [[metric, *(f"{whole[ranker, metric]['value']:.4f}" for ranker in rankers)] for metric in _METRICS]
        show_rows(["metric", *rankers], values, numbers=rankers)
    index = whole.get(("index", "recall@10"))
    exact = "the table is too small for an index: every vector is compared"
    show_fact("index", f"finds {index['value']:.1%} of the ten nearest products" if index else exact)
    show_fact("trust", "not comparable with recall on judgements: shoppers use other words than titles do")


def show_locales(rows: KnownItems) -> None:
    """Print the share of known products that are found first, by locale."""
    for locale in sorted({row["locale"] for row in rows} - {_WHOLE}):
        own = {row["ranker"]: row for row in rows if row["locale"] == locale and row["metric"] == "recall@1"}
        values = ", ".join(f"{ranker} {own[ranker]['value']:.3f}" for ranker in _RANKERS if ranker in own)
        console.print(f"{locale}: recall@1 {values}", highlight=False)
