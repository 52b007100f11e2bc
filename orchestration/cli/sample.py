"""`stockroom sample`: data to play with."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.options import JsonOption, path_from
from orchestration.cli.output import show_fact, show_next, write_json
from orchestration.cli.progress_bars import progress


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("sample")(sample)


def sample(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", parser=path_from, help="Folder to write the three files to.")
    ],
    products: Annotated[int, typer.Option("--products", min=100, help="How many products.")] = 10_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same bytes.")] = 7,
    brand_seed: Annotated[
        int | None, typer.Option("--brand-seed", min=0, help="Other brand names in the same catalog.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the files of a folder that has some.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write an ESCI-shaped data set: an invented catalog, queries and judgements, with dirt as in life.

    The labels follow from the products' attributes. Exact: all that the query names; Substitute: one attribute differs;
    Complement: an accessory; Irrelevant: another type of product.
    """
    from warehouse.errors import WarehouseError
    from warehouse.ingest.sources import SOURCE_SPECS
    from warehouse.paths import require_writable
    from warehouse.sample import write_sample

    require_writable(out, "give another folder: --out DIR")
    names = [spec.file_name for spec in SOURCE_SPECS if (out / spec.file_name).exists()]
    if names and not overwrite:
        raise WarehouseError(f"{out} already has {', '.join(names)}", "give another folder, or --overwrite")
    with progress() as announce:
        bar = announce("writing products", products)
        summary = write_sample(out, products, seed, brand_seed=brand_seed, on_progress=lambda count, _total: bar(count))
    if as_json:
        write_json(asdict(summary))
        return
    for name, value in asdict(summary).items():
        show_fact(name, ", ".join(f"{each or 'empty'} {count:,}" for each, count in value.items()))
    show_next(f"stockroom build --raw {shlex.quote(str(out))}")
