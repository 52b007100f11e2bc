-- Graded, split pairs. Validation is carved from train by a hash of the query's text, so that equal texts stay together;
-- train queries whose text also stands in test of their locale are left out.
with
queries as (
    select *, lower(query) as folded from staging.queries
),
test_texts as (
    select distinct locale, folded from queries where split = 'test'
),
split_queries as (
    select
        queries.* replace (
            case
                when split = 'train'
                    and md5_number_lower(concat(locale, ':', folded)) % 100 < $validation_percent
                    then 'validation'
                else split
            end as split
        )
    from queries
    where split = 'test' or (locale, folded) not in (from test_texts)
)
select
    -- ids
    judgements.key,
    judgements.query_key,
    judgements.product_key,
    judgements.locale,
    -- text
    split_queries.query,
    md5(to_json([products.title, products.brand, products.color, product_features.input_hash])::varchar) as product_input_hash,
    query_features.input_hash as query_input_hash,
    judgements.label,
    split_queries.split,
    judgements.context_key,
    -- numbers
    case judgements.label when 'E' then 1.0 when 'S' then 0.1 when 'C' then 0.01 else 0.0 end as gain,
    -- flags
    judgements.small_version,
    -- times
    judgements.judged_at
from staging.judgements as judgements
join split_queries on split_queries.key = judgements.query_key
join staging.products as products on products.key = judgements.product_key
join features.products as product_features on product_features.key = judgements.product_key
join features.queries as query_features on query_features.key = judgements.query_key
