"""The attributes of products: their values, and the written forms of each value in three languages.

Each line is a value: `us forms | es forms | jp forms`, with commas between the forms. Shoppers mostly use the first form, and
sellers also use the others, so that a search has to match synonyms and abbreviations.
"""

from functools import cache

LOCALES = ("us", "es", "jp")

_VALUES = {
    "color": """
        black, jet black, onyx, BLK | negro, azabache, ónix | ブラック, 黒, オニキス
        white, ivory, snow, WHT | blanco, marfil, nieve | ホワイト, 白, アイボリー
        red, crimson, scarlet, ruby | rojo, carmesí, rubí | レッド, 赤, ルビー
        blue, navy, cobalt, sapphire | azul, marino, cobalto | ブルー, 青, ネイビー
        green, olive, emerald, forest | verde, oliva, esmeralda | グリーン, 緑, オリーブ
        gray, charcoal, slate, graphite | gris, antracita, pizarra | グレー, 灰色, チャコール
        pink, blush, rose, fuchsia | rosa, fucsia, rubor | ピンク, 桃色, ローズ
        brown, walnut, chestnut, espresso | marrón, nogal, castaño | ブラウン, 茶色, ウォルナット
        yellow, mustard, amber, lemon | amarillo, mostaza, ámbar | イエロー, 黄色, マスタード
        purple, violet, plum, lilac | morado, violeta, lila | パープル, 紫, ラベンダー色""",
    "storage": """
        64 gb, 64GB | 64 gb, 64GB | 64GB, 64ギガ
        128 gb, 128GB | 128 gb, 128GB | 128GB, 128ギガ
        256 gb, 256GB | 256 gb, 256GB | 256GB, 256ギガ
        512 gb, half terabyte, 512GB | 512 gb, medio tera | 512GB, 512ギガ
        1 tb, 1000 GB, one terabyte | 1 tb, 1000 GB | 1TB, 1テラ""",
    "connector": """
        usb c, Type-C | usb c, tipo C | USB-C, タイプC
        wireless, Bluetooth, BT 5.3 | inalámbrico, Bluetooth | ワイヤレス, Bluetooth
        wired, corded, with cable | con cable, alámbrico | 有線, コード付き
        micro usb, mUSB | micro usb, mUSB | マイクロUSB, microB""",
    "screen": """
        11 inch, 27.9 cm, 11" | 11 pulgadas, 27.9 cm | 11インチ, 11型
        13 inch, 33 cm, 13" | 13 pulgadas, 33 cm | 13インチ, 13型
        14 inch, 35.6 cm, 14" | 14 pulgadas, 35.6 cm | 14インチ, 14型
        16 inch, 40.6 cm, 16" | 16 pulgadas, 40.6 cm | 16インチ, 16型""",
    "style": """
        modern, contemporary | moderno, contemporáneo | モダン, 現代風
        vintage, retro, antique look | vintage, retro | ビンテージ, レトロ
        compact, mini, small footprint | compacto, mini | コンパクト, ミニ
        professional, studio grade, pro | profesional, pro | プロ用, 業務用
        foldable, collapsible, fold-up | plegable, abatible | 折りたたみ, 折り畳み式""",
    "layout": """
        english, QWERTY, US ANSI | inglés, QWERTY | 英語配列, US配列
        spanish, ISO-ES, with Ñ | español, ISO-ES | スペイン語配列, ES配列
        large print, big letters, XL type | letra grande, tipo XL | 大きな文字, 大文字印字
        blank, unprinted, unmarked | sin imprimir, en blanco | 無刻印, 無地""",
    "audience": """
        mens, for him, gents | para hombre, caballero | メンズ, 男性用
        womens, for her, ladies | para mujer, señora | レディース, 女性用
        kids, children, youth | para niños, infantil | キッズ, 子供用
        seniors, elderly, easy use | para mayores, tercera edad | シニア, 高齢者用""",
    "power": """
        battery, cordless, rechargeable Li-ion | a batería, recargable | 充電式, コードレス
        plug in, mains, 110V corded | con enchufe, 220V | コンセント式, AC電源
        solar, sun charged, photovoltaic | solar, fotovoltaico | ソーラー, 太陽光
        manual, hand crank, no electricity | manual, sin electricidad | 手動, 手回し""",
    "capacity": """
        500 ml, 17 oz, half liter | 500 ml, medio litro | 500ml, 0.5リットル
        1 liter, 34 oz, 1000 ml | 1 litro, 1000 ml | 1リットル, 1000ml
        2 liter, 68 oz, half gallon | 2 litros, 2000 ml | 2リットル, 2000ml
        5 liter, 1.3 gallon, 5000 ml | 5 litros, 5000 ml | 5リットル, 5000ml
        250 ml, 8 oz, quarter liter | 250 ml, cuarto de litro | 250ml, 小容量""",
    "material": """
        stainless steel, SS 304, inox | acero inoxidable, inox | ステンレス, SUS304
        wood, timber, solid oak | madera, roble | 木製, 天然木
        plastic, ABS, polypropylene | plástico, ABS | プラスチック, 樹脂
        glass, borosilicate, crystal clear | vidrio, cristal | ガラス, 耐熱硝子
        rubber, silicone, elastomer | goma, silicona | ゴム, シリコン
        bamboo, moso, eco cane | bambú, caña ecológica | 竹製, バンブー""",
    "fabric": """
        cotton, 100% combed, percale | algodón, percal | コットン, 綿100%
        polyester, microfiber, brushed poly | poliéster, microfibra | ポリエステル, マイクロファイバー
        wool, merino, sherpa | lana, merino | ウール, 羊毛
        linen, flax, Belgian weave | lino, tejido de lino | リネン, 麻
        leather, cowhide, full grain | cuero, piel | 本革, レザー
        nylon, ripstop, Oxford 900D | nailon, ripstop | ナイロン, リップストップ""",
    "diameter": """
        8 inch, 20 cm, 20cm | 20 cm, diámetro 20 | 20cm, 20センチ
        10 inch, 25 cm, 26cm | 25 cm, diámetro 25 | 25cm, 25センチ
        12 inch, 30 cm, jumbo 30cm | 30 cm, diámetro 30 | 30cm, 30センチ""",
    "shape": """
        round, circular | redondo, circular | 丸型, 円形
        square, four sided | cuadrado, cuadrangular | 四角, 正方形
        rectangular, oblong | rectangular, alargado | 長方形, 横長
        oval, elliptical, egg shaped | ovalado, elíptico | 楕円形, オーバル
        L shaped, corner, angled | en forma de L, esquinero | L字型, コーナー""",
    "seats": """
        1 person, solo, single | 1 persona, individual | 1人用, ソロ
        2 person, for two, twin seat | 2 personas, doble | 2人用, 二人
        3 person, triple, trio | 3 personas, triple | 3人用, 三人
        4 person, family, quad | 4 personas, familiar | 4人用, ファミリー""",
    "tiers": """
        3 tier, three level | 3 niveles, tres baldas | 3段, 三段
        4 tier, four level | 4 niveles, cuatro baldas | 4段, 四段
        5 tier, five level | 5 niveles, cinco baldas | 5段, 五段""",
    "light": """
        warm white, 2700K, soft glow | luz cálida, 2700K | 電球色, 2700K
        daylight, 6500K, cool white | luz fría, 6500K | 昼光色, 6500K
        color changing, RGB, multicolor | luz de colores, RGB | 多色, RGB
        dimmable, adjustable brightness, 3-level | regulable, intensidad variable | 調光, 明るさ調節""",
    "pack": """
        2 pack, set of two, pair | pack de 2, par | 2個セット, 二個入り
        3 pack, set of three, trio | pack de 3, trío | 3個セット, 三個入り
        6 pack, half dozen, 6 ct | pack de 6, media docena | 6個セット, 六個入り
        12 pack, dozen, 12 ct | pack de 12, docena | 12個セット, 十二個入り""",
    "pattern": """
        plain, solid, no print | liso, sin estampado | プレーン, 無柄
        striped, stripes, pinstripe | a rayas, rayado | ストライプ, 縞模様
        floral, flowers, botanical | de flores, floral | 花柄, フローラル
        plaid, checkered, tartan | a cuadros, tartán | チェック柄, 格子
        polka dot, dotted, spots | de lunares, puntos | 水玉, ドット柄""",
    "bed": """
        twin, single bed, 39 x 75 | individual, 90 x 190 | シングル, S
        full, double bed, 54 x 75 | doble, 135 x 190 | ダブル, D
        queen, 60 x 80 | queen, 150 x 190 | クイーン, Q
        king, 76 x 80 | king, 180 x 200 | キング, K""",
    "season": """
        summer, lightweight, breathable | de verano, ligero | 夏用, 軽量
        winter, insulated, thermal | de invierno, térmico | 冬用, 防寒
        all season, year round, 4 seasons | todo el año, cuatro estaciones | オールシーズン, 通年
        rain, waterproof, weather sealed | para lluvia, impermeable | 雨用, 防水""",
    "size": """
        small, S, petite | pequeño, talla S | Sサイズ, 小
        medium, M, mid size | mediano, talla M | Mサイズ, 中
        large, L, big | grande, talla L | Lサイズ, 大
        xl, extra large, oversize | xl, extra grande | XLサイズ, 特大""",
    "weight": """
        2 lb, 0.9 kg, two pounds | 1 kg, 1000 g | 1kg, 1キロ
        5 lb, 2.3 kg, five pounds | 2 kg, 2000 g | 2kg, 2キロ
        10 lb, 4.5 kg, ten pounds | 5 kg, 5000 g | 5kg, 5キロ
        20 lb, 9 kg, twenty pounds | 10 kg, 10000 g | 10kg, 10キロ""",
    "thickness": """
        thin, 4 mm, slim | fino, 4 mm | 薄型, 4mm
        medium thick, 8 mm, standard depth | grosor medio, 8 mm | 中厚, 8mm
        extra thick, 15 mm, plush depth | extra grueso, 15 mm | 極厚, 15mm""",
    "flavor": """
        chicken, poultry, roast hen | pollo, ave | チキン, 鶏肉
        beef, red meat, sirloin | ternera, vacuno | ビーフ, 牛肉
        salmon, fish, ocean catch | salmón, pescado | サーモン, 鮭
        lamb, mutton, pasture sheep | cordero, oveja | ラム, 羊肉""",
    "scent": """
        lavender, calming purple bloom | lavanda, espliego | ラベンダー, ラベンダーの香り
        vanilla, sweet custard | vainilla, dulce vainilla | バニラ, バニラの香り
        lemon, citrus zest | limón, cítrico | レモン, 柑橘
        unscented, fragrance free | sin perfume, sin aroma | 無香料, 香りなし
        coconut, tropical coco | coco, coco tropical | ココナッツ, 椰子""",
    "hair": """
        dry hair, moisture repair | cabello seco, hidratante | 乾燥髪, しっとり
        oily hair, oil control, clarifying | cabello graso, purificante | 脂性髪, さっぱり
        curly hair, coils, curl define | cabello rizado, rizos | くせ毛, 巻き髪
        sensitive scalp, gentle, hypoallergenic | cuero cabelludo sensible, suave | 敏感肌, 低刺激""",
    "length": """
        3 ft, 1 meter, 36 in | 1 metro, 100 cm | 1m, 1メートル
        6 ft, 2 meter, 72 in | 2 metros, 200 cm | 2m, 2メートル
        10 ft, 3 meter, 120 in | 3 metros, 300 cm | 3m, 3メートル
        25 ft, 7.6 meter, 300 in | 8 metros, 800 cm | 8m, 8メートル""",
}


@cache
def forms(attribute: str, locale: str) -> tuple[tuple[str, ...], ...]:
    """Return the written forms of each value of an attribute in one locale, by value code."""
    at = LOCALES.index(locale)
    lines = (line.split("|")[at] for line in _VALUES[attribute].strip().splitlines())
    return tuple(tuple(form.strip() for form in line.split(",")) for line in lines)


@cache
def value_count(attribute: str) -> int:
    """Return the number of values of an attribute."""
    return len(forms(attribute, LOCALES[0]))
