-- The judgements of the queries in `mined_queries`, including those under another id of the same text.
select mined_queries.key as query_key, pairs.product_key, pairs.label
from mined_queries
join training.pairs as pairs on pairs.locale = mined_queries.locale and lower(pairs.query) = lower(mined_queries.query)
where pairs.split in ('train', 'validation')
