"""Filler text that makes descriptions and bullet points as long as in ESCI.

The median description has 750 characters and the median bullet points have 640; in Japanese both have about a third of that.
Many descriptions are HTML. The sentences contain no facts about the product.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

from warehouse.sample.listings import Row
from warehouse.sample.vocabulary.attributes import LOCALES

Ints = npt.NDArray[np.int64]

MEDIAN_CHARS = {"product_description": (750, 1_000, 200), "product_bullet_point": (640, 590, 190)}
"""Median characters by column, in the order of `LOCALES`."""
_SPREAD = (0.8, 0.8, 1.1)
_MOST_CHARS = 2_000
_SENTENCE_CHARS = (72, 72, 27)
_NUMBER_SHARE = 0.35
"""Share of the sentences that end in a number."""
_BREAK_SHARE = {"product_description": 0.35, "product_bullet_point": 0.2}
"""Share of the sentences that follow a line break or an equivalent in HTML."""

_QUALITIES = {
    "us": """soft sturdy padded washable smooth hidden adjustable lightweight breathable flexible rounded polished durable
        delicate everyday sensitive bulky slippery narrow removable reinforced stretchy quilted waterproof matte brushed
        seamless insulated foldable handmade tapered textured shockproof odorless fragile oversized compact reversible
        stackable scratchproof recycled elastic ventilated braided""",
    "es": """suaves resistentes flexibles plegables ligeros transpirables impermeables ajustables reforzados lavables
        delicados grandes pequeños discretos extraíbles brillantes mates acolchados frágiles elegantes duraderos
        reciclados naturales rígidos estables silenciosos potentes sencillos prácticos voluminosos sensibles sólidos""",
    "jp": """柔らかい 丈夫な 軽い 滑らかな 大きな 小さな 細かい 繊細な 便利な 静かな 頑丈な 伸びる 薄い 厚い 上質な 自然な
        清潔な 安全な 高級な 素朴な 新しい 快適な 美しい 細長い 平らな 防水の 通気性のある 折りたためる 調整できる""",
}
_THINGS = {
    "us": """handles corners seams zippers buttons pockets edges surfaces panels layers fibers straps buckles hinges fabrics
        accessories cables tools documents bottles screens toys clothes shelves cushions filters blades wheels hooks
        magnets lids covers sleeves cords batteries brackets drawers liners soles cuffs hems collars lenses speakers
        chargers stands trays containers rollers brushes sponges gloves helmets""",
    "es": """bordes bolsillos cierres botones paneles tejidos cables objetos accesorios documentos juguetes vestidos cojines
        filtros ganchos imanes soportes tornillos cajones cepillos guantes cascos zapatos tirantes cordones recipientes
        altavoces cargadores cristales muebles utensilios estuches acabados refuerzos""",
    "jp": """持ち手 角 縫い目 ファスナー ボタン ポケット 表面 パネル 生地 繊維 ストラップ 金具 部品 ケーブル 工具 書類
        ボトル 画面 おもちゃ 衣類 棚 クッション フィルター 刃 車輪 フック 磁石 ふた カバー 電池 引き出し 手袋 靴底 襟
        レンズ 充電器 スタンド トレー 容器 ブラシ""",
}
_DOINGS = {
    "us": """protect hold support cover keep carry guard match surround separate brighten secure cushion hide absorb replace
        complement organize strengthen welcome lift balance seal frame""",
    "es": """protegen sujetan cubren guardan acompañan separan refuerzan completan rodean ordenan sostienen aíslan
        iluminan reemplazan equilibran acogen levantan""",
    "jp": """守ります 支えます 包みます 保ちます 運びます 整えます 引き立てます 分けます 補強します 固定します 隠します
        吸収します 照らします 飾ります""",
}
_TIMES = {
    "us": """every day|all year round|for many seasons|on the road|at home and at work|in small kitchens|after each wash|
        without extra effort|even in the rain|while you sleep|during long trips|in the garden|at the gym|between uses|
        under heavy loads|from morning to night|on every desk|next to the bed|in the car|behind the door""",
    "es": """todos los días|durante todo el año|en casa y en el trabajo|sin esfuerzo|en la cocina|incluso bajo la lluvia|
        de la mañana a la noche|en cada viaje|después de cada lavado|en el jardín|junto a la cama|en el coche|
        muchas temporadas|en espacios pequeños""",
    "jp": """毎日|一年中|長い間|外出先で|家でも職場でも|小さな台所で|洗うたびに|雨の日も|眠っている間に|旅行中に|庭で|
        車の中で|朝から晩まで|机の上で""",
}
_UNITS = {
    "us": "inches wide|cm deep|pieces tested|stitches per row|hours of use|grams lighter|days to return it",
    "es": "cm de ancho|cm de fondo|unidades probadas|horas de uso|gramos menos|días para devolverlo",
    "jp": "cm幅|個を検査済み|時間使用可能|g軽量化|日以内返品可|回テスト済み",
}
_BEFORE_NUMBER = {"us": ", ", "es": ", ", "jp": "、"}
_STOPS = {"us": ".", "es": ".", "jp": "。"}
_BREAKS = {
    "product_description": (
        " ", " ", " ", " ", "<br>", "<br>", "<br /><br />", "</p> <p>", "</p>\n<p>", "</li><li>", "&nbsp;<br>", " &amp; ",
        " • ", " – ", "\n",
    ),
    "product_bullet_point": ("\n",),
}  # fmt: skip
"""Separators between sentences; each text has one of them."""


def lengthen(rows: list[Row], rng: np.random.Generator) -> None:
    """Extend the descriptions and bullet points of rows in place, to lengths drawn for each."""
    for column, medians in MEDIAN_CHARS.items():
        for code, locale in enumerate(LOCALES):
            rows_of_locale = [row for row in rows if row[column] is not None and row["product_locale"] == locale]
            if rows_of_locale:
                chars = np.minimum(
                    rng.lognormal(np.log(medians[code]), _SPREAD[code], len(rows_of_locale)), _MOST_CHARS
                )
                sentences = np.maximum(chars / _SENTENCE_CHARS[code], 1).round().astype(np.int64)
                for row, text in zip(rows_of_locale, _texts(column, locale, sentences, rng), strict=True):
                    row[column] = f"{row[column]}{text}"


def _texts(column: str, locale: str, sentences: Ints, rng: np.random.Generator) -> list[str]:
    """Return one text for each number in `sentences`, with that many sentences."""
    total, text = int(sentences.sum()), np.repeat(np.arange(len(sentences)), sentences)

    def drawn(bank: tuple[str, ...]) -> pl.Series:
        return pl.Series(bank).gather(rng.integers(len(bank), size=total))

    qualities, things = _list(_QUALITIES[locale]), _list(_THINGS[locale])
    words = pl.DataFrame(
        {
            "quality": drawn(qualities),
            "thing": drawn(things),
            "doing": drawn(_list(_DOINGS[locale])),
            "also": drawn(qualities),
            "other": drawn(things),
            "time": drawn(_list(_TIMES[locale])),
            "unit": drawn(_list(_UNITS[locale])),
            "number": rng.integers(2, 999, size=total),
            "has_number": rng.random(total) < _NUMBER_SHARE,
            "has_break": rng.random(total) < _BREAK_SHARE[column],
            "break": pl.Series(_BREAKS[column]).gather(rng.integers(len(_BREAKS[column]), size=len(sentences))[text]),
            "text": text,
        }
    )
    quantity = pl.when("has_number").then(pl.concat_str(pl.lit(_BEFORE_NUMBER[locale]), "number", pl.lit(" "), "unit"))
    lead = pl.when("has_break").then("break").otherwise(pl.lit(" "))
    sentence = pl.concat_str(lead, *_sentence(locale), quantity.fill_null(""), pl.lit(_STOPS[locale]))
    texts = (
        words.select("text", sentence=sentence).group_by("text", maintain_order=True).agg(pl.col("sentence").str.join())
    )
    return texts["sentence"].to_list()


def _sentence(locale: str) -> list[pl.Expr]:
    """Return the words in the order of the language."""
    quality, thing, doing, also, other, time = map(pl.col, ("quality", "thing", "doing", "also", "other", "time"))
    space = pl.lit(" ")
    if locale == "us":
        return [quality.str.to_titlecase(), space, thing, space, doing, space, also, space, other, space, time]
    if locale == "es":
        return [thing.str.to_titlecase(), space, quality, space, doing, space, other, space, also, space, time]
    return [quality, thing, pl.lit("が"), time, also, other, pl.lit("を"), doing]


@cache
def _list(text: str) -> tuple[str, ...]:
    """Split a list of words at its bars, or at white space if it has none."""
    return tuple(part.strip() for part in text.split("|")) if "|" in text else tuple(text.split())
