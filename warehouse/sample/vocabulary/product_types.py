"""The product types of the catalog, with their names in three languages.

Each line is a type: `key | us names | es names | jp names | first attribute, second attribute | option`. The names in a
language are synonyms, the most common first. The option `plain` means that the type has no color, and `for KEY` that it is an
accessory of that type.
"""

from dataclasses import dataclass
from functools import cache

from warehouse.sample.vocabulary.attributes import LOCALES

_LINES = """
phone|smartphone, mobile phone, cell phone|teléfono móvil, smartphone|スマートフォン, スマホ|storage, connector|
laptop|laptop, notebook computer|portátil, ordenador portátil|ノートパソコン, ノートPC|storage, screen|
tablet|tablet, tablet computer|tableta, tablet|タブレット, タブレット端末|storage, screen|
headphones|headphones, headset, over ear cans|auriculares, cascos|ヘッドホン, ヘッドフォン|connector, style|
keyboard|keyboard, mechanical keyboard|teclado|キーボード|connector, layout|
mouse|computer mouse, pc mouse|ratón, mouse|マウス|connector, audience|
speaker|speaker, loudspeaker, sound box|altavoz, bafle|スピーカー|connector, power|
camera|digital camera, compact camera|cámara digital, cámara compacta|デジタルカメラ, デジカメ|storage, power|
smartwatch|smartwatch, fitness tracker|reloj inteligente, smartwatch|スマートウォッチ|audience, shape|
bottle|water bottle, drinking flask, canteen|botella de agua, cantimplora|水筒, ウォーターボトル|capacity, material|
mug|coffee mug, tea cup|taza, tazón|マグカップ, コーヒーカップ|capacity, material|
coffee_maker|coffee maker, coffee machine, brewer|cafetera, máquina de café|コーヒーメーカー|capacity, power|
kettle|kettle, water boiler|hervidor, tetera|やかん, ケトル|capacity, material|
pan|frying pan, skillet|sartén|フライパン|diameter, material|
cutting_board|cutting board, chopping block|tabla de cortar|まな板, カッティングボード|shape, material|
lunch_box|lunch box, bento container|fiambrera, táper|弁当箱, ランチボックス|capacity, material|
blender|blender, smoothie maker|licuadora, batidora|ミキサー, ブレンダー|capacity, power|
sofa|sofa, couch, settee|sofá|ソファ, ソファー|seats, fabric|
desk|desk, writing table, workstation|escritorio, mesa de trabajo|デスク, 机|shape, material|
office_chair|office chair, desk chair|silla de oficina, silla de escritorio|オフィスチェア, 事務椅子|style, fabric|
bookshelf|bookshelf, bookcase|estantería, librería|本棚, ブックシェルフ|tiers, material|
lamp|floor lamp, standing light|lámpara de pie|フロアランプ, スタンドライト|light, style|
bulb|light bulb, led lamp bulb|bombilla|電球, LED電球|light, pack|plain
rug|area rug, carpet|alfombra|ラグ, じゅうたん|shape, pattern|
curtains|curtains, drapes, window panels|cortinas|カーテン|fabric, pattern|
sheets|bed sheets, bedding set, linens|sábanas, juego de cama|シーツ, ベッドシーツ|bed, fabric|
pillow|pillow, head cushion|almohada|枕, ピロー|bed, pack|
blanket|blanket, throw, coverlet|manta, frazada|毛布, ブランケット|bed, fabric|
duvet|duvet, comforter, quilt|edredón, nórdico|掛け布団, 羽毛布団|bed, season|
shirt|t-shirt, tee|camiseta, playera|Tシャツ, 半袖シャツ|size, audience|
jacket|jacket, coat|chaqueta, abrigo|ジャケット, 上着|size, season|
sneakers|sneakers, running shoes, trainers|zapatillas, deportivas|スニーカー, 運動靴|size, audience|
socks|socks, hosiery|calcetines|靴下, ソックス|pack, fabric|
backpack|backpack, rucksack, daypack|mochila|リュック, バックパック|size, audience|
wallet|wallet, billfold, card holder|cartera, billetera|財布, ウォレット|fabric, audience|
dumbbell|dumbbell, hand weight|mancuerna, pesa|ダンベル|weight, pack|
yoga_mat|yoga mat, exercise mat|esterilla de yoga, colchoneta|ヨガマット|thickness, material|
tent|tent, camping shelter|tienda de campaña, carpa|テント|seats, season|
dog_bed|dog bed, pet cushion|cama para perro|犬用ベッド, ペットベッド|size, shape|
dog_food|dog food, canine kibble|pienso para perros, comida para perros|ドッグフード|flavor, weight|plain
shampoo|shampoo, hair wash|champú|シャンプー|scent, hair|plain
candle|candle, scented jar|vela, vela aromática|キャンドル, ろうそく|scent, pack|
hand_cream|hand cream, moisturizer|crema de manos|ハンドクリーム|scent, pack|plain
drill|power drill, driver|taladro, atornillador|電動ドリル, ドライバードリル|power, style|
hose|garden hose, watering pipe|manguera|散水ホース, 庭用ホース|length, material|
flashlight|flashlight, torch|linterna|懐中電灯, ライト|power, light|
guitar|guitar, acoustic guitar|guitarra|ギター|size, style|
journal|journal, notebook, diary|cuaderno, libreta|ノート, 手帳|layout, pack|
phone_case|phone case, cover|funda de móvil, carcasa|スマホケース, カバー|fabric, pattern|for phone
phone_charger|charger, power adapter|cargador, adaptador de corriente|充電器, アダプター|connector, length|for phone
laptop_sleeve|laptop sleeve, laptop bag|funda de portátil|ノートPCケース|screen, fabric|for laptop
tablet_stand|tablet stand, holder|soporte de tableta|タブレットスタンド|material, style|for tablet
ear_pads|replacement ear pads, ear cushions|almohadillas de repuesto|イヤーパッド|fabric, pack|for headphones
watch_strap|watch band, replacement strap|correa de reloj|時計バンド, 替えベルト|fabric, size|for smartwatch
bottle_brush|bottle brush, cleaning brush|cepillo limpiabotellas|ボトルブラシ|length, pack|for bottle
coffee_filter|coffee filter, filter basket|filtro de café|コーヒーフィルター|material, pack|for coffee_maker
sofa_cover|sofa cover, slipcover|funda de sofá|ソファカバー|seats, pattern|for sofa
chair_cushion|seat cushion, chair pad|cojín de silla|座布団, クッション|shape, thickness|for office_chair
lamp_shade|lamp shade, light cover|pantalla de lámpara|ランプシェード|shape, fabric|for lamp
duvet_cover|duvet cover, quilt case|funda nórdica|布団カバー|bed, pattern|for duvet
rain_cover|rain cover, waterproof cover|funda impermeable|レインカバー|size, fabric|for backpack
drill_bits|drill bit set, bits|juego de brocas|ドリルビット|material, pack|for drill
guitar_strap|guitar strap, shoulder belt|correa de guitarra|ギターストラップ|fabric, pattern|for guitar
"""


@dataclass(frozen=True)
class ProductType:
    """Hold the names of a type in every locale, and the attributes of its products."""

    key: str
    names: dict[str, tuple[str, ...]]
    attributes: tuple[str, str]
    colored: bool
    accessory_of: int
    """Position of the main type in `product_types()`, -1 for a type that is no accessory."""


@cache
def product_types() -> tuple[ProductType, ...]:
    """Return the types in the order of the table above; the position of a type is its code."""
    rows = [[cell.strip() for cell in line.split("|")] for line in _LINES.strip().splitlines()]
    position = {row[0]: at for at, row in enumerate(rows)}
    types = []
    for key, us, es, jp, attributes, option in rows:
        names = {
            locale: tuple(name.strip() for name in cell.split(","))
            for locale, cell in zip(LOCALES, (us, es, jp), strict=True)
        }
        first, second = (name.strip() for name in attributes.split(","))
        main = position[option.removeprefix("for ")] if option.startswith("for ") else -1
        types.append(ProductType(key, names, (first, second), option != "plain", main))
    return tuple(types)
