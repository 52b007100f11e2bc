-- The judgements of a split; those of the test split in the reduced set are ESCI's task 1.
select
    pairs.locale,
    pairs.query_key,
    queries.query_id,
    pairs.query,
    pairs.product_key,
    products.product_id,
    pairs.label,
    pairs.small_version
from training.pairs as pairs
join staging.products as products on products.key = pairs.product_key
join staging.queries as queries on queries.key = pairs.query_key
where pairs.split = $split
order by pairs.key
