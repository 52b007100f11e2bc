-- Graded, split pairs: the judgements of all queries that have a split.
with
products as (
    select products.key, md5(to_json([title, brand, color, features.input_hash])::varchar) as input_hash
    from staging.products as products
    join features.products as features on features.key = products.key
)
select
    -- ids
    judgements.key,
    judgements.query_key,
    judgements.product_key,
    judgements.locale,
    -- text
    queries.query,
    products.input_hash as product_input_hash,
    query_features.input_hash as query_input_hash,
    judgements.label,
    queries.split,
    judgements.context_key,
    -- numbers
    case judgements.label when 'E' then 1.0 when 'S' then 0.1 when 'C' then 0.01 else 0.0 end as gain,
    -- flags
    judgements.small_version,
    -- times
    judgements.judged_at
from staging.judgements as judgements
join splits.queries as queries on queries.key = judgements.query_key
join products on products.key = judgements.product_key
join features.queries as query_features on query_features.key = judgements.query_key
