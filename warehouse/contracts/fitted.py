"""Contract of the fitted table: what was learnt from the train split and is frozen with the model."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class FittedVocabulary(dy.Schema):
    """One row per brand and color that a judged product of the train split bears.

    No row of validation or test moves it. A model keeps the one that it was trained with, and searches are answered over that.
    """

    key = key_column("kind:value")
    id = dy.Int64(nullable=False, metadata=about("number from 1 within its kind, by falling frequency, then by value"))
    kind = dy.String(nullable=False, metadata=about("brand or color"))
    value = dy.String(nullable=False, metadata=about("brand_key or color_key as in features.products"))
    products = dy.Int64(
        nullable=False, metadata=about("judged products of the train split that bear it: its frequency")
    )
    share = dy.Float64(nullable=False, metadata=about("products as a share of those that bear any value of its kind"))
