-- Features that depend on the product alone. A column added here and declared in warehouse/contracts/tables/features.py enters the
-- registry and the towers.
with
products as (
    select * from staging.products
),
sizes as (
    select
        key,
        max(amount) filter (measure = 'volume_ml') as volume_ml,
        max(amount) filter (measure = 'weight_g') as weight_g,
        max(amount) filter (measure = 'length_cm') as length_cm,
        max(amount) filter (measure = 'pack_count') as pack_count
    from (
        select key, string_split(amount, '=')[1] as measure, string_split(amount, '=')[2]::double as amount
        from (select key, unnest(string_split(amounts, ' ')) as amount from products where amounts <> '')
    )
    group by key
),
prices as (
    select
        key,
        regexp_extract(
            title, '[$€£¥] ?(\d{1,6}(?:\.\d+)?)|(\d{1,6}(?:\.\d+)?) ?(?:円|€|(?:eur|euros?|usd|dollars?)\b)', ['after_sign', 'before_word']
        ) as price
    from (
        select key, regexp_replace(regexp_replace(lower(title), '(\d),(\d\d\d)\b', '\1\2', 'g'), '(\d),(\d)', '\1.\2', 'g') as title
        from products
    )
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
