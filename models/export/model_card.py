"""The model card of an export: data, training, relevance and limits."""

from collections.abc import Mapping
from typing import Any

_METRICS = ("ndcg", "recall@10", "recall@100", "mrr")
_PLURAL = {"query": "queries", "product": "products"}
_RANKERS = {
    "encoder": "the encoder alone",
    "export": "this folder (texts alone)",
    "model": "the model with all features",
}


def model_card(facts: Mapping[str, Any]) -> str:
    """Return the card as Markdown.

    Args:
        facts: The facts that `orchestration.commands.export_model` collects: release, model, encoder, data, training,
            relevance (by ranker and metric; None without judgements), features (by side) and largest_difference.
    """
    data, training, features = facts["data"], facts["training"], facts["features"]
    return f"""---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
base_model: {facts["encoder"]["model"]}
tags: [product-search, two-tower]
---

# Two-tower model {facts["model"]}

A text encoder ({facts["encoder"]["model"]}) followed by two small residual towers, one for queries and one for products,
trained by Stockroom. It is the model of release {facts["release"]} of its home.

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("this folder")
queries = model.encode_query(["wireless earbuds"])
products = model.encode_document(["True Wireless Earbuds with Charging Case Acme Black"])
print(model.similarity(queries, products))
```

A product's text is its cleaned title, brand and color, with one space between them; vectors have length 1.

## Data

{data["products"]:,} products in the catalog ({", ".join(f"{name} {count:,}" for name, count in data["locales"].items())}),
{data["pairs"]:,} graded training and validation pairs of {data["queries"]:,} queries, as of snapshot {facts["snapshot"]}
(training table {facts["training_pairs"]}). Encoder fingerprint {facts["encoder"]["fingerprint"]}.

## Training

{training["mode"]} towers, best of {training["epochs"]} epochs on validation: epoch {training["best_epoch"]},
alpha {training["alpha"]:g}, seed {training["seed"]}.{"".join(f" {note[0].upper()}{note[1:]}." for note in training["notes"])}

## Relevance

{_relevance(facts["relevance"])}

## Limits

- {_features(features)}
- The model was trained on the texts and labels of one catalog. Other products, languages and kinds of queries were not
  measured. Texts beyond {facts["encoder"]["max_tokens"]} tokens are truncated.
- Vectors are f32. Compared with the towers of the release on the same f32 encoder, the largest difference of a component was
  {facts["largest_difference"]:.1e} over {facts["texts_compared"]} texts. A home whose encoder runs in bf16 differs by about 1e-3.
"""


def _relevance(relevance: Mapping[str, Mapping[str, float | None]] | None) -> str:
    if relevance is None:
        return "No judgement is in the test split: nothing was measured."
    lines = [
        f"| {label} | " + " | ".join(_number(relevance[name].get(metric)) for metric in _METRICS) + " |"
        for name, label in _RANKERS.items()
    ]
    queries = relevance["model"]["queries"]
    head = f"{queries:,} queries of the test split, recall and MRR over the whole catalog of a query's locale."
    return "\n".join(
        [head, "", "| ranker | " + " | ".join(_METRICS) + " |", "| --- " * (len(_METRICS) + 1) + "|", *lines]
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _features(features: Mapping[str, list[str]]) -> str:
    sides = [f"of {_PLURAL[side]} {', '.join(names)}" for side, names in features.items() if names]
    if not sides:
        return "The model reads texts alone: the vectors of texts equal those of the release."
    return (
        f"The release's model also reads features ({'; '.join(sides)}). A text alone has none, so this export uses the "
        "mean contribution of the features over the release's rows. Its vectors differ from the release's: do not mix the two in "
        "an index."
    )
