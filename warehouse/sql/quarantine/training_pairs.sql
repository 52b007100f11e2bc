-- Train judgements whose query text also occurs in the test split of the locale: training on them would leak test queries.
with
queries as (
    select *, lower(query) as folded from staging.queries
),
test_texts as (
    select distinct locale, folded from queries where split = 'test'
)
select
    judgements.key,
    'train_query_in_test' as rule,
    to_json(struct_pack(
        query := queries.query, query_id := judgements.query_id, product_id := judgements.product_id,
        locale := judgements.locale, label := judgements.label, split := judgements.split
    ))::varchar as row
from staging.judgements as judgements
join queries on queries.key = judgements.query_key
where queries.split = 'train' and (queries.locale, queries.folded) in (from test_texts)
