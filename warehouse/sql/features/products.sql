-- What is known of a product before any query. A column added here and declared in its contract enters the registry and the towers.
with
products as (
    select * from staging.products
)
select
    -- ids
    key,
    product_id,
    locale,
    -- text
    brand_key,
    color_key,
    -- numbers
    length(title) as title_chars,
    len(string_split(title, ' ')) as title_words,
    len(regexp_extract_all(title, '[0-9]+')) as title_numbers,
    coalesce(length(description), 0) as description_chars,
    coalesce(len(string_split(bullet_points, chr(10))), 0) as bullet_count,
    (
        (description is not null)::int + (bullet_points is not null)::int + (brand is not null)::int + (color is not null)::int
    ) / 4 as completeness,
    -- flags
    brand is not null and contains(lower(title), lower(brand)) as has_brand_in_title
from products
