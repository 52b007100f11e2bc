-- The judgements of the validation split.
select
    pairs.locale,
    pairs.query_key,
    queries.query_id,
    pairs.query,
    pairs.product_key,
    products.product_id,
    pairs.label
from training.pairs as pairs
join staging.products as products on products.key = pairs.product_key
join staging.queries as queries on queries.key = pairs.query_key
where pairs.split = 'validation'
order by pairs.key
