"""Attributes: the declared further columns of products, as one static feature view that every reader of feature views reads."""

from collections.abc import Sequence
from pathlib import PurePath

from pydantic import Field

from warehouse.contracts.time_series import ColumnType, FeatureView, FeatureViewColumn, FeatureViews
from warehouse.declaration.columns import file_columns
from warehouse.declaration.source import Attribute, AttributeType, Source
from warehouse.errors import WarehouseError

ATTRIBUTES_FILE = "attributes.parquet"
"""The file of a prepared folder with the attributes: product_locale, product_id and a column each."""

NAME = "products"
"""The name of the feature view."""

TABLE = f"attributes.{NAME}"
"""The table of the feature view."""

_COLUMN_TYPES: dict[AttributeType, ColumnType] = {
    "number": "number",
    "money": "number",
    "boolean": "flag",
    "date": "time",
    "list": "list",
}
"""The types of attributes whose values are not text."""


class AttributeView(FeatureView):
    """Hold the attributes of all sources as a static feature view, with the columns of the files that they come from."""

    read_from: dict[str, tuple[tuple[str, str], ...]] = Field(
        exclude=True, description="File names and their columns, by attribute."
    )

    def origins(self, column: str) -> tuple[tuple[str, str], ...]:
        """Return the names of the files and of their columns that an attribute or a part of the key is read from."""
        return self.read_from.get(column, ())


def all_feature_views(sources: Sequence[Source], feature_views: FeatureViews) -> FeatureViews:
    """Return the declared feature views, and the one of the attributes if the sources declare any.

    Raises:
        WarehouseError: A feature view has the name of the attributes' own.
    """
    attributes = attribute_view(sources)
    if attributes is None:
        return feature_views
    if any(view.name == NAME for view in feature_views):
        raise WarehouseError(
            f"the feature view {NAME} has the name of the attributes' table", "rename the [[feature_view]]"
        )
    return (*feature_views, attributes)


def attribute_view(sources: Sequence[Source]) -> AttributeView | None:
    """Return the attributes that all sources of products declare as one feature view; None if there are none."""
    attributes: dict[str, Attribute] = {}
    read_from: dict[str, list[tuple[str, str]]] = {}
    for source in sources:
        if source.kind in ("products", "details"):
            names = [PurePath(file).name for file in source.files]
            keys = {"product_locale": source.columns.get("locale"), "product_id": source.columns["product_id"]}
            declared = {attribute.name: attribute.column or attribute.name for attribute in source.attributes}
            for name, column in {**keys, **declared}.items():
                columns = file_columns(column) if column is not None else ()
                read_from.setdefault(name, []).extend((file, each) for file in names for each in columns)
            for attribute in source.attributes:
                attributes.setdefault(attribute.name, attribute)
    if not attributes:
        return None
    return AttributeView(
        name=NAME,
        file=ATTRIBUTES_FILE,
        entity="product",
        key=("product_locale", "product_id"),
        columns=tuple(_column(attribute) for attribute in attributes.values()),
        read_from={name: tuple(dict.fromkeys(pairs)) for name, pairs in read_from.items()},
    )


def _column(attribute: Attribute) -> FeatureViewColumn:
    kind = attribute.type.replace("_", " ")
    return FeatureViewColumn(
        name=attribute.name,
        meaning=attribute.meaning or f"{kind}, as the catalog's files have it",
        tower=attribute.tower,
        type=_COLUMN_TYPES.get(attribute.type, "text"),
        rank=attribute.rank,
        filter=attribute.filter,
    )
