"""`stockroom sample`: data to play with."""

import shlex
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.options import JsonOption, path_from
from orchestration.cli.output import show_fact, show_next, write_json
from orchestration.cli.progress_bars import progress


class Kind(StrEnum):
    """What the files look like."""

    esci = "esci"
    shop = "shop"
    clicks = "clicks"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("sample")(sample)


def sample(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", parser=path_from, help="Folder to write the files to.")],
    kind: Annotated[
        Kind,
        typer.Option(
            "--kind",
            help="esci: ESCI's files, with judgements; shop: the CSV export of a shop, one row a variant; clicks: JSON lines and "
            "the log of a search page.",
        ),
    ] = Kind.esci,
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
    """Write an invented catalog, with the defects of real data: as ESCI's files, as a shop's export, or with a click log.

    The labels follow from the products' attributes. Exact: all that the query names; Substitute: one attribute differs;
    Complement: an accessory; Irrelevant: another type of product. Clicks follow from the labels and from the place in the list.
    """
    from warehouse.errors import WarehouseError
    from warehouse.paths import require_writable
    from warehouse.sample import SAMPLE_KINDS

    require_writable(out, "give another folder: --out DIR")
    sample_kind = SAMPLE_KINDS[kind]
    names = [name for name in sample_kind.files if (out / name).exists()]
    if names and not overwrite:
        raise WarehouseError(f"{out} already has {', '.join(names)}", "give another folder, or --overwrite")
    with progress() as announce:
        bar = announce("writing products", products)
        summary = sample_kind.write(
            out, products, seed, brand_seed=brand_seed, on_progress=lambda count, _total: bar(count)
        )
    counts = {name: value for name, value in asdict(summary).items() if value}
    if as_json:
        write_json(counts)
        return
    for name, value in counts.items():
        show_fact(name, ", ".join(f"{each or 'empty'} {count:,}" for each, count in value.items()))
    folder = shlex.quote(str(out))
    if sample_kind.init_files is None:
        show_next(f"stockroom build --raw {folder}")
    else:
        show_next(
            f"cd {folder}",
            f"stockroom init {sample_kind.init_files} --home home",
            "stockroom build --home home",
            'stockroom search "office chair" --home home',
        )
