-- Judgements whose product or query is not in staging. If both are missing, the rule names the product, since a query is in
-- staging only if one of its judged products is.
with
judgements as (
    select *, concat(product_locale, ':', query_id) as query_key, concat(product_locale, ':', product_id) as product_key
    from raw.judgements
),
broken as (
    select key, 'judgement_without_product' as rule
    from judgements
    where product_key not in (select key from staging.products)
    union all
    select key, 'judgement_without_query' as rule
    from judgements
    where
        query_key not in (select key from staging.queries)
        and product_key in (select key from staging.products)
)
select
    broken.key,
    broken.rule,
    to_json(struct_pack(
        example_id := judgements.example_id, query := judgements.query, query_id := judgements.query_id,
        product_id := judgements.product_id, product_locale := judgements.product_locale, esci_label := judgements.esci_label,
        small_version := judgements.small_version, large_version := judgements.large_version, split := judgements.split
    ))::varchar as row
from broken
join judgements using (key)
