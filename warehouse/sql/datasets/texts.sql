-- The rows of the text index.
select
    key,
    product_id,
    locale,
    title,
    brand,
    color,
    title_words,
    body_words,
    amounts,
    right(input_hash, 16) as input_hash
from staging.products
