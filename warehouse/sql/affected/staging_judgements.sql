-- Judgements that changed, and those whose query or product did.
select key from touched where "table" = 'raw.judgements'
union
select key
from raw.judgements
where
    concat(product_locale, ':', query_id) in (select key from touched where "table" = 'staging.queries')
    or concat(product_locale, ':', product_id) in (select key from touched where "table" = 'staging.products')
