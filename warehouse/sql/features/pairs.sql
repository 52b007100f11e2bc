-- What a judged query and its product have in common, by words.
with
judgements as (
    select key, query_key, product_key from staging.judgements
),
queries as (
    select key, list_distinct(regexp_extract_all(lower(query), '[\p{L}\p{N}]+')) as words, lower(query) as query
    from staging.queries
),
products as (
    select
        key,
        list_distinct(regexp_extract_all(lower(concat_ws(' ', title, brand, color)), '[\p{L}\p{N}]+')) as words,
        lower(brand) as brand,
        lower(color) as color
    from staging.products
),
joined as (
    select
        judgements.*,
        query,
        brand,
        color,
        len(queries.words) as query_words,
        len(list_intersect(queries.words, products.words)) as common_words
    from judgements
    join queries on queries.key = judgements.query_key
    join products on products.key = judgements.product_key
)
select
    -- ids
    key,
    query_key,
    product_key,
    -- numbers
    common_words,
    common_words / greatest(query_words, 1) as common_share,
    -- flags
    brand is not null and contains(query, brand) as has_brand_match,
    color is not null and contains(query, color) as has_color_match
from joined
