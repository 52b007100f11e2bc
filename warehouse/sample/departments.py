"""Where a shop files each product type, and what its products cost and weigh.

Each line is a shelf: `category path | type price grams, …`, with the usual price in US dollars.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from warehouse.sample.catalog import Catalog
from warehouse.sample.vocabulary.product_types import product_types

_LINES = """
Electronics > Phones | phone 549 190, phone_case 19 60, phone_charger 25 110
Electronics > Computers | laptop 1099 1600, tablet 429 520, keyboard 69 800, mouse 29 110
Electronics > Computers | laptop_sleeve 27 260, tablet_stand 24 410
Electronics > Audio | headphones 119 260, speaker 89 900, ear_pads 16 50
Electronics > Cameras | camera 379 430
Electronics > Wearables | smartwatch 199 60, watch_strap 18 30
Home > Kitchen | bottle 22 340, mug 14 380, coffee_maker 109 3200, kettle 39 1200, pan 45 1400, cutting_board 29 1100
Home > Kitchen | lunch_box 21 450, blender 79 2900, bottle_brush 9 90, coffee_filter 12 80
Home > Furniture | sofa 899 42000, desk 249 28000, office_chair 219 15000, bookshelf 139 21000
Home > Furniture | sofa_cover 59 1500, chair_cushion 26 600
Home > Lighting | lamp 79 4200, bulb 13 120, lamp_shade 29 500, flashlight 24 210
Home > Textiles | rug 149 6500, curtains 44 1600, sheets 59 1400, pillow 32 900, blanket 39 1300, duvet 99 2600
Home > Textiles | duvet_cover 49 1200
Home > Fragrance | candle 17 420
Clothing > Tops | shirt 19 180, jacket 119 850
Clothing > Footwear | sneakers 89 700, socks 12 90
Clothing > Bags | backpack 69 900, wallet 34 90, rain_cover 17 130
Sports > Fitness | dumbbell 39 5000, yoga_mat 32 1200
Sports > Camping | tent 189 3400
Pets > Dogs | dog_bed 54 1900, dog_food 37 5000
Beauty > Care | shampoo 12 420, hand_cream 11 110
Garden > Tools | drill 99 1700, drill_bits 27 500, hose 36 2200
Music > Instruments | guitar 229 2300, guitar_strap 21 150
Office > Paper | journal 15 320
"""


@dataclass(frozen=True)
class Shelf:
    """Hold the category path of a type, with the type's name as the last step, its usual price and weight."""

    path: tuple[str, ...]
    dollars: float
    grams: int


@cache
def shelves() -> tuple[Shelf, ...]:
    """Return the shelf of each type, by type code."""
    by_key: dict[str, Shelf] = {}
    names = {kind.key: kind.names["us"][0].title() for kind in product_types()}
    for line in _LINES.strip().splitlines():
        path, entries = line.split("|")
        for entry in entries.split(","):
            key, dollars, grams = entry.split()
            steps = (*(step.strip() for step in path.split(">")), names[key])
            by_key[key] = Shelf(steps, float(dollars), int(grams))
    return tuple(by_key[kind.key] for kind in product_types())


def draw_prices(codes: Catalog, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw the price of each product in US dollars, around the usual one of its type; most end in .99."""
    usual = np.array([shelf.dollars for shelf in shelves()])[codes.type]
    whole = np.maximum(np.floor(usual * rng.lognormal(0, 0.35, len(codes))), 1)
    return np.asarray(whole + rng.choice([0.99, 0.5, 0.0], p=[0.75, 0.15, 0.1], size=len(codes)))
