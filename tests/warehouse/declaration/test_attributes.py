"""Declared attributes become one static feature view, whose columns know the files that they come from."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from warehouse.catalog.column_lineage import time_series_steps
from warehouse.contracts.time_series import FeatureView
from warehouse.declaration.attributes import all_feature_views, attribute_view
from warehouse.declaration.source import Sources
from warehouse.errors import WarehouseError
from warehouse.ingest.feature_view_files import check_files, ingest_file
from warehouse.ingest.full_snapshot import ingest
from warehouse.lake.lake import Lake
from warehouse.settings import WarehouseSettings
from warehouse.sources.prepared import prepare

COLUMNS = {"product_id": "Handle", "title": "Title"}
PRICE = {"name": "price", "column": "Variant Price", "type": "money", "tower": "numeric", "rank": True}


def sources(*attributes_of_each):
    return TypeAdapter(Sources).validate_python(
        [
            {"kind": "products", "files": [f"shop/part{number}.csv"], "columns": COLUMNS, "attributes": attributes}
            for number, attributes in enumerate(attributes_of_each)
        ]
    )


def test_without_attributes_there_is_no_view() -> None:
    assert attribute_view(sources([])) is None
    assert all_feature_views((), ()) == ()


def test_the_attributes_of_all_sources_are_columns_of_one_table() -> None:
    tags = {"name": "tags", "column": ["Tags", "More"], "type": "list", "meaning": "words of the shop", "filter": False}
    view = attribute_view(sources([PRICE], [PRICE, tags, {"name": "made_on", "type": "date"}]))
    assert view is not None
    assert (view.table, view.is_static, view.key_columns) == (
        "attributes.products",
        True,
        ("product_locale", "product_id"),
    )
    assert [(column.name, column.holds, column.rank, column.filter) for column in view.columns] == [
        ("price", "number", True, True),
        ("tags", "list", False, False),
        ("made_on", "time", False, True),
    ]
    assert [column.meaning for column in view.columns] == [
        "money, as the catalog's files have it",
        "words of the shop",
        "date, as the catalog's files have it",
    ]
    assert FeatureView.model_validate_json(view.model_dump_json()).contract.version == view.contract.version


def test_its_lineage_ends_at_the_columns_of_the_files() -> None:
    view = attribute_view(sources([PRICE], [PRICE]))
    assert view is not None
    origins = {(step.source_table, step.source_column) for step in time_series_steps((view,)) if step.column == "price"}
    assert origins == {("part0.csv", "Variant Price"), ("part1.csv", "Variant Price")}
    keys = {(step.source_table, step.source_column) for step in time_series_steps((view,)) if step.column == "key"}
    assert keys == {("part0.csv", "Handle"), ("part1.csv", "Handle")}


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ({"name": "brand"}, "a product has a column brand of its own"),
        ({"name": "title_price", "type": "money"}, "a product has a column title_price of its own"),
        ({"name": "a", "type": "text", "rank": True}, "the ranker cannot read an attribute of type text"),
        ({"name": "a", "type": "date", "tower": "categorical"}, "cannot be categorical for the tower"),
        ({"name": "price", "type": "number", "tower": "numeric", "rank": True}, "price has another type in another"),
        ({**PRICE, "rank": False}, "the attribute price has another rank in another source"),
    ],
)
def test_an_attribute_that_cannot_be_is_refused(attribute: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        sources([PRICE], [attribute])


def test_a_feature_view_with_the_name_of_the_attributes_is_refused() -> None:
    other = FeatureView.model_validate(
        {
            "name": "products",
            "file": "f",
            "entity": "product",
            "ttl_days": 1,
            "columns": [{"name": "a", "meaning": "a"}],
        }
    )
    with pytest.raises(WarehouseError, match="has the name of the attributes' table"):
        all_feature_views(sources([PRICE]), (other,))


EXPORT = """Handle,Title,Variant Price,Tags,Published
A1,Mug,"$1,299.00","red, big",2024-01-31
A2,Cup,12.99,,soon
A2,Cup again,5.00,,
bad id \N{ZERO WIDTH SPACE},Jug,5.00,,
"""


def test_the_values_of_a_file_are_in_the_table_and_refused_ones_in_quarantine(tmp_path) -> None:
    (tmp_path / "export.csv").write_text(EXPORT, encoding="utf-8")
    (tmp_path / "judged.csv").write_text("q,p,l\nmug,A1,E\ncup,A2,E\n", encoding="utf-8")
    attributes = [PRICE, {"name": "tags", "column": "Tags", "type": "list"}]
    attributes.append({"name": "published", "column": "Published", "type": "date", "meaning": "day of publication"})
    declared = TypeAdapter(Sources).validate_python(
        [
            {"kind": "products", "files": ["export.csv"], "columns": COLUMNS, "attributes": attributes},
            {
                "kind": "judgements",
                "files": ["judged.csv"],
                "columns": {"query": "q", "product_id": "p", "label": "l"},
            },
        ]
    )
    lake, folder, now = Lake(tmp_path / "lake", WarehouseSettings(threads=1)), tmp_path / "prepared", datetime.now(UTC)
    prepare(declared, tmp_path, folder)
    ingest(lake, folder)
    view = attribute_view(declared)
    assert view is not None
    check_files(lake, folder, [view], now)
    assert ingest_file(lake, folder, view, now).inserted == 2
    with lake.reading() as connection:
        assert connection.sql(f"SELECT * EXCLUDE input_hash FROM {view.table} ORDER BY key").fetchall() == [
            ("us:A1", 1299.0, ["red", "big"], datetime(2024, 1, 31, tzinfo=UTC)),
            ("us:A2", 12.99, None, None),
        ]
        refused = connection.execute("SELECT key, \"row\" FROM quarantine.rows WHERE rule = 'not_a_date'").fetchall()
    ((place, row),) = refused
    assert "export.csv" in place
    assert json.loads(row)["value"] == "soon"
