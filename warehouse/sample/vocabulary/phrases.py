"""The phrases of listings and searches besides the attributes: slogans, sentences, bullet points and search templates."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Phrases:
    """Hold the phrases of one locale; `{…}` are slots."""

    slogans: tuple[str, ...]
    compatible: str
    """The phrase of an accessory for the product that it fits; slot `thing` (the main type, with its maker if stated)."""
    sentences: tuple[str, ...]
    bullets: tuple[str, ...]
    wishes: tuple[str, ...]
    """Templates of searches; slots `head` (the type, maybe after some attributes) and `tail` (the other attributes)."""
    accessory_wish: str


def _list(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split("|"))


PHRASES = {
    "us": Phrases(
        slogans=_list("""
            premium quality | perfect gift for birthday Christmas | upgraded new version | free shipping |
            best seller | ideal for home office dorm kitchen travel | heavy duty | money back guarantee |
            limited edition | renewed | easy to clean | as seen on TV | great value | for everyday use |
            brand new in retail box | top rated | lifetime warranty | ships from warehouse | fast delivery |
            multi purpose | must have essentials | gift box included | satisfaction promise | no tools needed |
            customer favorite | latest model | open box | designed in California | bonus e-book |
            eco friendly packaging | ultra durable | hassle free returns"""),
        compatible="for {thing}",
        sentences=_list("""
            This {type} from {brand} is made to last. | A {type} you will enjoy every day: {first}, {second}. |
            Our team tests each {type} before it leaves the house. | Comes in {color} and looks good in any room. |
            Questions? Write to us at any time, we answer within a day."""),
        bullets=_list("""
            WHAT YOU GET: one {type}, a card of thanks. | DETAILS: {first}, {second}. |
            EASY CARE: wipe with a damp cloth. | GIFT IDEA: for birthdays, weddings and new homes. |
            SERVICE: 30 days to send it back."""),
        wishes=_list("""
            {head} {tail} | {tail} {head} | {head} {tail} | {tail} {head} | best {head} {tail} |
            {tail} {head} for sale"""),
        accessory_wish="{type} for {fits}",
    ),
    "es": Phrases(
        slogans=_list("""
            calidad superior | regalo perfecto de cumpleaños y Navidad | nueva versión mejorada | envío gratis |
            el más vendido | ideal para casa oficina cocina viaje | muy resistente | garantía de devolución |
            edición limitada | reacondicionado | fácil de limpiar | gran valor | para uso diario | nuevo en su caja |
            entrega rápida | multiusos | recomendado por clientes | caja de regalo incluida | último modelo |
            sin herramientas | embalaje ecológico"""),
        compatible="para {thing}",
        sentences=_list("""
            Este producto de {brand} está hecho para durar. | Un artículo para todos los días: {first}, {second}. |
            Disponible en {color}, queda bien en cualquier habitación. | ¿Preguntas? Escríbanos cuando quiera."""),
        bullets=_list("""
            CONTENIDO: {type} y tarjeta. | DETALLES: {first}, {second}. | CUIDADO: limpiar con un paño húmedo. |
            SERVICIO: 30 días para devolverlo."""),
        wishes=_list("""
            {head} {tail} | {head} {tail} | {head} {tail} barato | comprar {head} {tail}"""),
        accessory_wish="{type} para {fits}",
    ),
    "jp": Phrases(
        slogans=_list("""
            高品質 | 誕生日 クリスマス プレゼント最適 | 改良版 | 送料無料 | ベストセラー | 自宅 オフィス 旅行 | 頑丈 |
            返金保証 | 数量限定 | 整備済み品 | お手入れ簡単 | お買い得 | 毎日使える | 新品 | 即日発送 | 多機能 |
            人気商品 | ギフト箱入り | 最新モデル | 工具不要 | エコ包装"""),
        compatible="{thing} 用",
        sentences=_list("""
            {brand}の{type}は長くお使いいただけます。 | 毎日使いたくなる{type}です。{first}、{second}。 |
            色は{color}、どんな部屋にも合います。 | ご質問はいつでもどうぞ。"""),
        bullets=_list("""
            【内容】{type}、カード。 | 【詳細】{first}、{second}。 | 【お手入れ】濡れた布で拭いてください。 |
            【保証】30日以内の返品可。"""),
        wishes=_list("""
            {head} {tail} | {tail} {head} | {tail} {head} おすすめ | {head} {tail} 人気"""),
        accessory_wish="{fits} 用 {type}",
    ),
}
