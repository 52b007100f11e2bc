-- What is judged of the queries in `asked`, also where the same text was asked under another id.
select asked.key as query_key, pairs.product_key, pairs.label
from asked
join training.pairs as pairs on pairs.locale = asked.locale and lower(pairs.query) = lower(asked.query)
where pairs.split in ('train', 'validation')
