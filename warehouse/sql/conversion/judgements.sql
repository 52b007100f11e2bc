-- The columns of raw.judgements, one row per judged query and product.
select
    -- ids
    coalesce(first.example_id, number_of(concat(locale, ':', query_id, ':', product_id))) as example_id,
    first.query as query,
    query_id,
    product_id,
    locale as product_locale,
    -- values
    label as esci_label,
    first.small_version as small_version,
    first.large_version as large_version,
    first.split as split,
    event_time,
    first.context_key as context_key
from judgement_pairs
order by product_locale, query_id, product_id
