-- The train queries that negatives are mined for: those with an Exact product, at most so many, drawn by hash.
with
drawn as (
    select query_key as key, locale, query
    from training.pairs
    where split = 'train'
    group by query_key, locale, query
    having bool_or(label = 'E')
    order by md5(key), key
    limit $queries
)
select key, locale, query
from drawn
order by key
