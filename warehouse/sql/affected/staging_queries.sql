-- Queries of which a judgement or the source changed, or a product that is judged.
select regexp_extract(key, '^[^:]*:[^:]*') as key
from touched
where "table" = 'raw.judgements'
union
select concat(product_locale, ':', query_id) as key
from raw.judgements
where
    query_id::varchar in (select key from touched where "table" = 'raw.sources')
    or concat(product_locale, ':', product_id) in (select key from touched where "table" = 'staging.products')
