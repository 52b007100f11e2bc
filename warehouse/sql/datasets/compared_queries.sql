-- The nDCG and first Exact rank of each test query, by one model and its encoder.
with
first_exact as (
    select
        locale,
        query_id,
        min(model_catalog_rank) as model_first,
        min(encoder_catalog_rank) as encoder_first
    from evaluation.rankings
    where label = 'E' and model_id = $model_id
    group by all
)
select
    model.locale,
    model.query_id,
    model.query,
    model.ndcg as model_ndcg,
    encoder.ndcg as encoder_ndcg,
    model_first,
    encoder_first,
    model.judgements
from evaluation.queries as model
join evaluation.queries as encoder using (model_id, locale, query_id)
left join first_exact using (locale, query_id)
where model.ranker = 'model' and encoder.ranker = 'encoder' and model_id = $model_id
order by locale, query_id
