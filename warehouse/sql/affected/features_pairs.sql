-- Pairs whose judgement, query or product changed.
select key from touched where "table" = 'staging.judgements'
union
select key
from staging.judgements
where
    query_key in (select key from touched where "table" = 'staging.queries')
    or product_key in (select key from touched where "table" = 'staging.products')
