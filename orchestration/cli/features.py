"""`stockroom features`: the meaning and source of each feature."""

from typing import Annotated, Any

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, write_json
from orchestration.cli.sql import cell


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("features")(features)


def features(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[FEATURE]",
            help="Show this one: features.products.title_words, or title_words alone. Default: list all.",
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the features, or show one: meaning, type, tower, rules, the SQL file that computes it, and its values.

    The list is registry.features, which every build derives from the declarations in the code.
    """
    from orchestration.config.open_context import open_home
    from warehouse.catalog import data_dictionary

    lake = open_home(settings_for(home)).lake
    feature_rows = data_dictionary.features(lake)
    if name is not None:
        feature = data_dictionary.find(feature_rows, name)
        show({**feature, **data_dictionary.values(lake, feature["table_name"], feature["column_name"])}, as_json)
    elif as_json:
        write_json(feature_rows.to_dicts())
    else:
        from rich.table import Table

        table = Table()
        for heading in ("feature", "type", "tower", "meaning"):
            table.add_column(heading, overflow="fold", no_wrap=heading != "meaning")
        for feature in feature_rows.iter_rows(named=True):
            table.add_row(*(cell(feature[heading]) for heading in ("feature", "type", "tower", "meaning")))
        console.print(table, markup=False)
        console.print("One of them: stockroom features FEATURE", highlight=False)


def show(feature: dict[str, Any], as_json: bool) -> None:
    """Print everything about one feature."""
    if as_json:
        write_json(feature)
        return
    lines = {
        "feature": feature["feature"],
        "meaning": feature["meaning"],
        "type": feature["type"] + ("" if feature["nullable"] else ", never null"),
        "tower": feature["tower"] or "not an input of the towers",
        "source": feature["source"] or "no SQL file",
        "rules": ", ".join(feature["rules"]) or "none",
        "rows": f"{feature['rows']:,}, {feature['nulls']:,} of them null, {feature['distinct']:,} distinct values",
        "examples": ", ".join(map(cell, feature["examples"])) or "none",
    }
    for label, text in lines.items():
        console.print(f"{label:<10}{text}", highlight=False, markup=False)
