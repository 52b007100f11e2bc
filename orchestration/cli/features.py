"""`stockroom features`: the meaning and source of each feature."""

from typing import Annotated, Any

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, show_fact, show_rows, show_title, write_json
from orchestration.cli.sql import cell
from warehouse.wording import counted

_COLUMNS = ("column_name", "type", "tower", "meaning")


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
    from orchestration.config.open_home import open_home
    from warehouse.catalog import data_dictionary

    lake = open_home(settings_for(home)).lake
    feature_rows = data_dictionary.features(lake)
    if name is not None:
        feature = data_dictionary.find(feature_rows, name)
        show({**feature, **data_dictionary.values(lake, feature["table_name"], feature["column_name"])}, as_json)
    elif as_json:
        write_json(feature_rows.to_dicts())
    else:
        for (table,), rows in feature_rows.group_by("table_name", maintain_order=True):
            show_title(str(table))
            cells = rows.select(_COLUMNS).iter_rows()
            show_rows(["feature", *_COLUMNS[1:]], [[cell(value) for value in row] for row in cells])
            console.print()
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
        "rows": f"{feature['rows']:,}, {feature['nulls']:,} of them null, {counted(feature['distinct'], 'distinct value')}",
        "examples": ", ".join(map(cell, feature["examples"])) or "none",
    }
    for label, text in lines.items():
        show_fact(label, text)
