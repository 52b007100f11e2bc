-- The train queries that negatives are mined for: at most $queries of those with an Exact product, drawn by hash.
with
with_exact as (
    select distinct query_key, locale, query from training.pairs where split = 'train' and label = 'E'
),
drawn as (
    select query_key, locale, query from with_exact order by md5(query_key), query_key limit $queries
)
select query_key as key, locale, query
from drawn
order by key
