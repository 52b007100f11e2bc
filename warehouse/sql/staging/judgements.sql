-- Judgements whose query and product are both in staging.
with
judgements as (
    select
        *,
        concat(product_locale, ':', query_id) as query_key,
        concat(product_locale, ':', product_id) as product_key
    from raw.judgements
)
select
    -- ids
    judgements.key,
    query_key,
    product_key,
    judgements.product_locale as locale,
    judgements.query_id,
    judgements.product_id,
    -- text
    judgements.esci_label as label,
    queries.split,
    nullif(trim(judgements.context_key), '') as context_key,
    -- flags
    judgements.small_version = 1 as small_version,
    -- times
    coalesce(judgements.event_time, $judged_at) as judged_at
from judgements
join staging.queries as queries on queries.key = judgements.query_key
join staging.products as products on products.key = judgements.product_key
