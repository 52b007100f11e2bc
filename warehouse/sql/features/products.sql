-- Features that depend on the product alone. A column added here and declared in warehouse/contracts/features.py enters the
-- registry and the towers.
with
products as (
    select * from staging.products
),
-- Only unambiguous units: without "in" ("2 in 1") and "m" ("9 M US").
units as (
    select measure, factor, unnest(words) as unit
    from (
        values
        ('volume_ml', 1, ['ml']),
        ('volume_ml', 10, ['cl']),
        ('volume_ml', 29.5735, ['floz']),
        ('volume_ml', 1000, ['l', 'liter', 'liters', 'litre', 'litres', 'litro', 'litros', 'リットル']),
        ('volume_ml', 3785.41, ['gallon', 'gallons']),
        ('weight_g', 1, ['g', 'gr', 'gram', 'grams', 'gramos', 'グラム']),
        ('weight_g', 28.3495, ['oz', 'ounce', 'ounces']),
        ('weight_g', 453.592, ['lb', 'lbs', 'pound', 'pounds']),
        ('weight_g', 1000, ['kg', 'キロ']),
        ('length_cm', 0.1, ['mm']),
        ('length_cm', 1, ['cm', 'センチ']),
        ('length_cm', 2.54, ['"', 'inch', 'inches', 'pulgadas', 'インチ']),
        ('length_cm', 30.48, ['ft', 'foot', 'feet']),
        ('length_cm', 100, ['meter', 'meters', 'metro', 'metros', 'メートル']),
        ('pack_count', 1, ['pack', 'packs', 'pk', 'count', 'ct', 'pcs', 'pc', 'piece', 'pieces', 'pieza', 'piezas', 'unidades', 'uds']),
        ('pack_count', 1, ['個', '枚', '本', '袋', '箱', '組', '缶'])
    ) as listed(measure, factor, words)
),
-- The following features need a digit in the title. Searching for a pattern first is cheaper than replacing it.
numbered as (
    select key, lower(title) as title from products where regexp_matches(title, '\d')
),
inches as (
    select key, if(regexp_matches(title, '[″”'']'), regexp_replace(title, '″|”|''''', '"', 'g'), title) as title from numbered
),
decimals as (  -- 1,500 is 1500 and 1,5 is 1.5
    select
        key,
        if(
            regexp_matches(title, '\d,\d'),
            regexp_replace(regexp_replace(title, '(\d),(\d\d\d)\b', '\1\2', 'g'), '(\d),(\d)', '\1.\2', 'g'),
            title
        ) as title
    from inches
),
unlike as (  -- trousers of 36W x 29L, radio of 2.4G or 5G
    select
        key,
        if(
            regexp_matches(title, '\dw|[345] ?g'),
            regexp_replace(title, '\b\d+w ?x? ?\d+l\b|\b(2\.4|[345]) ?g\b', '', 'g'),
            title
        ) as title
    from decimals
),
fluid as (
    select key, if(contains(title, 'fl'), regexp_replace(title, '\bfl(uid)?\.? ?(oz|ounces?)\b', 'floz', 'g'), title) as title
    from unlike
),
plain as (
    select
        key,
        if(
            regexp_matches(title, '(of|de) \d'),
            regexp_replace(title, '\b(pack|set|box|paquete|juego|lote) (of|de) (\d+)\b', '\3 pack', 'g'),
            title
        ) as title
    from fluid
),
amounts as (
    select key, unnest(regexp_extract_all(title, '(?:^|[^\d./])\d{1,6}(?:\.\d+)?[ -]?(?:"|[a-z]+|[ァ-ヺー]+|[個枚本袋箱組缶])')) as amount
    from plain
),
sizes as (
    select
        key,
        round(max(number * factor) filter (measure = 'volume_ml'), 2) as volume_ml,
        round(max(number * factor) filter (measure = 'weight_g'), 2) as weight_g,
        round(max(number * factor) filter (measure = 'length_cm'), 2) as length_cm,
        max(number) filter (measure = 'pack_count') as pack_count
    from (select key, regexp_extract(amount, '\d+(?:\.\d+)?')::double as number, regexp_extract(amount, '("|\p{L}+)$') as unit from amounts)
    join units using (unit)
    group by key
),
prices as (
    select
        key,
        regexp_extract(
            title, '[$€£¥] ?(\d{1,6}(?:\.\d+)?)|(\d{1,6}(?:\.\d+)?) ?(?:円|€|(?:eur|euros?|usd|dollars?)\b)', ['after_sign', 'before_word']
        ) as price
    from plain
    where regexp_matches(title, '[$€£¥円]|eur|usd|dollar')
)
select
    -- ids
    key,
    product_id,
    locale,
    -- text
    brand_key,
    color_key,
    case
        when strlen(title) = length(title) then if(regexp_matches(title, '[A-Za-z]'), 'latin', null)
        when not regexp_matches(title, '[\p{Hiragana}\p{Katakana}\p{Han}\p{Hangul}\p{Cyrillic}\p{Arabic}]')
            then if(regexp_matches(title, '\p{Latin}'), 'latin', null)
        else list_sort([
            {'letters': length(regexp_replace(title, '\P{Latin}+', '', 'g')), 'script': 'latin'},
            {'letters': length(regexp_replace(title, '[^\p{Hiragana}\p{Katakana}]+', '', 'g')), 'script': 'kana'},
            {'letters': length(regexp_replace(title, '\P{Han}+', '', 'g')), 'script': 'han'},
            {'letters': length(regexp_replace(title, '\P{Hangul}+', '', 'g')), 'script': 'hangul'},
            {'letters': length(regexp_replace(title, '\P{Cyrillic}+', '', 'g')), 'script': 'cyrillic'},
            {'letters': length(regexp_replace(title, '\P{Arabic}+', '', 'g')), 'script': 'arabic'},
            {'letters': 0, 'script': null}
        ], 'desc', 'nulls first')[1].script
    end as title_script,
    -- numbers
    length(title) as title_chars,
    len(string_split(title, ' ')) as title_words,
    len(regexp_extract_all(title, '[0-9]+')) as title_numbers,
    list_max(regexp_extract_all(title, '\d{1,6}')::int[]) as title_largest_number,
    coalesce(nullif(price.after_sign, ''), nullif(price.before_word, ''))::double as title_price,
    pack_count,
    volume_ml,
    weight_g,
    length_cm,
    coalesce(length(description), 0) as description_chars,
    coalesce(len(string_split(bullet_points, chr(10))), 0) as bullet_count,
    coalesce(length(bullet_points), 0) as bullet_chars,
    (
        (description is not null)::int + (bullet_points is not null)::int + (brand is not null)::int + (color is not null)::int
    ) / 4 as completeness,
    -- flags
    brand is not null and contains(lower(title), lower(brand)) as has_brand_in_title
from products
left join sizes using (key)
left join prices using (key)
