-- The whole words and numbers that a judged query and its product have in common.
with
judgements as (
    select key, query_key, product_key from staging.judgements
),
queries as (
    select
        key,
        list_distinct(words) as words,
        concat(' ', array_to_string(words, ' '), ' ') as phrase,
        list_distinct(regexp_extract_all(query, '\d+(?:[.,]\d+)?')) as numbers
    from (select key, query, regexp_extract_all(lower(query), '[\p{L}\p{N}]+') as words from staging.queries)
),
products as (
    select
        key,
        list_distinct(regexp_extract_all(lower(concat_ws(' ', title, brand, color)), '[\p{L}\p{N}]+')) as words,
        regexp_extract_all(title, '\d+(?:[.,]\d+)?') as numbers,
        -- between blanks, so that contains() matches only whole words
        concat(' ', array_to_string(regexp_extract_all(lower(brand), '[\p{L}\p{N}]+'), ' '), ' ') as brand,
        concat(' ', array_to_string(regexp_extract_all(lower(color), '[\p{L}\p{N}]+'), ' '), ' ') as color
    from staging.products
    where key in (select product_key from judgements)
),
joined as (
    select
        judgements.*,
        queries.phrase as query,
        brand,
        color,
        len(queries.words) as query_words,
        len(products.words) as product_words,
        len(list_filter(queries.words, lambda word: list_contains(products.words, word))) as common_words,
        len(queries.numbers) as query_numbers,
        len(list_filter(queries.numbers, lambda number: list_contains(products.numbers, number))) as common_numbers
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
    common_words / greatest(product_words, 1) as title_share,
    common_numbers,
    -- flags
    query_numbers > 0 and common_numbers = query_numbers as has_number_match,
    trim(brand) <> '' and contains(query, brand) as has_brand_match,
    trim(color) <> '' and contains(query, color) as has_color_match
from joined
