-- One row per query and locale with a judged product in staging.products. Of its judgements of such products, the one with
-- the smallest example_id determines text and split.
with
judgements as (
    select *
    from raw.judgements
    where concat(product_locale, ':', product_id) in (select key from staging.products)
),
first_judgement as (
    select
        product_locale as locale,
        query_id,
        arg_min(query, (example_id, product_id)) as query,
        arg_min(split, (example_id, product_id)) as split
    from judgements
    group by all
)
select
    -- ids
    concat(locale, ':', query_id) as key,
    query_id,
    locale,
    -- text
    query,
    split,
    source
from first_judgement
left join raw.sources as sources using (query_id)
