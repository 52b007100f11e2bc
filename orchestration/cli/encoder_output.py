"""The output about what the encoder can read: of a catalog's titles, and of a query."""

from collections.abc import Mapping

from models.settings import DEFAULT_LANGUAGE, DEFAULT_MODEL
from orchestration.cli.output import show_fact
from warehouse.contracts.locales import language_of

_REMEDY = "set encoder.model to a model of its language, then build"
_POOR_SHARE = 0.1
"""The share of unknown tokens from which on a locale is warned of."""


def show_unknown(shares: Mapping[str, float], model: str) -> None:
    """Print the share of tokens in titles that the encoder does not know, by locale, and warn of locales that it reads badly.

    The default `model` reads every language badly but the one that it learned, whatever the share.
    """
    if not shares:
        return
    worst_first = sorted(shares.items(), key=lambda item: -item[1])
    text = ", ".join(f"{locale} {share:.1%}" for locale, share in worst_first)
    poor = [
        locale
        for locale, share in worst_first
        if share >= _POOR_SHARE or (model == DEFAULT_MODEL and language_of(locale) != DEFAULT_LANGUAGE)
    ]
    warning = f"; vectors say little in {', '.join(poor)}: {_REMEDY}" if poor else ""
    show_fact("unknown", f"tokens in titles: {text}{warning}", "yellow" if poor else None)


def show_reading(unknown_share: float, *, orders_alone: bool) -> None:
    """Say that the encoder cannot read a query, and what follows; `orders_alone` where no words order the hits beside it."""
    from models.encoder.unknown_tokens import UNREADABLE_SHARE

    if unknown_share > UNREADABLE_SHARE:
        effect = "the order says little" if orders_alone else "words alone order the hits"
        show_fact("encoder", f"reads {1 - unknown_share:.0%} of the query, so {effect}: {_REMEDY}", "yellow")
