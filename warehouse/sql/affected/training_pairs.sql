-- Pairs whose judgement, query or product changed, or the features of the two.
select key from touched where "table" = 'staging.judgements'
union
select key
from staging.judgements
where
    query_key in (select key from touched where "table" in ('staging.queries', 'training.queries', 'features.queries'))
    or product_key in (select key from touched where "table" in ('staging.products', 'features.products'))
