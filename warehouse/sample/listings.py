"""Listings: the title, description, bullet points, brand and color of a product, made from its codes."""

from dataclasses import fields

import numpy as np
import numpy.typing as npt

from warehouse.sample.catalog import Catalog, product_id
from warehouse.sample.vocabulary.attributes import LOCALES, forms
from warehouse.sample.vocabulary.brands import brand_name
from warehouse.sample.vocabulary.phrases import PHRASES, Phrases
from warehouse.sample.vocabulary.product_types import product_types

Row = dict[str, str | None]
_DRAWS = 24
_LINES = (
    "Aero",
    "Nova",
    "Prime",
    "Terra",
    "Flux",
    "Echo",
    "Luna",
    "Delta",
    "Orbit",
    "Pulse",
    "Astra",
    "Zen",
    "Vista",
    "Core",
)


class Dice:
    """Return the random numbers of one row in order; they are drawn for a whole chunk at once, which is faster."""

    def __init__(self, draws: npt.NDArray[np.int64]) -> None:
        self._draws = iter(draws.tolist())

    def below(self, count: int) -> int:
        """Return a number from 0 to below `count`."""
        return int(next(self._draws)) % count

    def chance(self, share: float) -> bool:
        """Return True with the probability `share`."""
        return self.below(10_000) < share * 10_000

    def pick(self, options: tuple[str, ...]) -> str:
        """Return one of some texts."""
        return options[self.below(len(options))]


def write_listings(codes: Catalog, seed: list[int], brand_seed: int) -> list[Row]:
    """Return the rows of the products, in order, with the columns of ESCI."""
    draws = np.random.default_rng(seed).integers(2**40, size=(len(codes), _DRAWS))
    table = np.stack([getattr(codes, field.name) for field in fields(codes)], axis=1)  # (row, field)
    return [_write(row.tolist(), Dice(dice), brand_seed) for row, dice in zip(table, draws, strict=True)]


def _write(codes: list[int], dice: Dice, brand_seed: int) -> Row:
    """Return the catalog row of one product.

    Args:
        codes: The numbers that describe the product, in the order of the fields of `Catalog`.
        dice: The random numbers of the row.
        brand_seed: The seed of the brand names.
    """
    item, locale_code, type_code, brand, maker, color, first, second, family = codes
    kind = product_types()[type_code]
    locale = LOCALES[locale_code]
    phrases = PHRASES[locale]
    name = dice.pick(kind.names[locale])
    maker_name = brand_name(brand, brand_seed) if brand >= 0 else None
    one, two = (
        dice.pick(forms(a, locale)[v]) if v >= 0 else "" for a, v in zip(kind.attributes, (first, second), strict=True)
    )
    shade = dice.pick(forms("color", locale)[color]) if color >= 0 else None
    if kind.accessory_of >= 0:
        thing = dice.pick(product_types()[kind.accessory_of].names[locale])
        fitted = f"{brand_name(maker, brand_seed)} {thing}" if maker >= 0 else thing
        fitting = phrases.compatible.format(thing=fitted)
        name = f"{fitting} {name}" if locale == "jp" else f"{name} {fitting}"
    shade_in_column = shade is not None and dice.chance(0.7)
    facts = [fact for fact in (one, two) if fact]
    if shade is not None and (not shade_in_column or dice.chance(0.4)):
        facts.append(shade)
    title = _title(name, maker_name, facts, f"{_LINES[family % len(_LINES)]}-{family % 89 + 10}", phrases, dice)
    words = {
        "type": name,
        "brand": maker_name or name,
        "first": one or two,
        "second": two or one,
        "color": shade or one or two,
    }
    start = dice.below(len(phrases.sentences))
    sentences = [phrases.sentences[(start + k) % len(phrases.sentences)].format(**words) for k in range(2)]
    bullets = [phrases.bullets[(start + k) % len(phrases.bullets)].format(**words) for k in range(3)]
    return {
        "product_id": product_id(item),
        "product_title": title,
        "product_description": " ".join(sentences) if dice.chance(0.5) else None,
        "product_bullet_point": "\n".join(bullets) if dice.chance(0.8) else None,
        "product_brand": maker_name,
        "product_color": shade.capitalize() if shade_in_column and shade else None,
        "product_locale": locale,
    }


def _title(name: str, brand: str | None, facts: list[str], line: str, phrases: Phrases, dice: Dice) -> str:
    """Return a title of attributes and slogans, with the attributes in random order before and after the name."""
    turn = dice.below(len(facts))
    facts = facts[turn:] + facts[:turn]
    before = dice.below(len(facts) + 1)
    slogans = list(dict.fromkeys(dice.pick(phrases.slogans) for _ in range(2 + dice.below(3))))
    lead = [slogans.pop()] if len(slogans) > 1 and dice.chance(0.4) else []
    opening = [*lead, *([brand] if brand and dice.chance(0.75) else []), *([line] if dice.chance(0.6) else [])]
    head = " ".join([*opening, *facts[:before], name])
    return ", ".join([head, *facts[before:], *slogans])
