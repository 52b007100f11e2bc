-- Test queries whose nDCG the model improves most over its encoder, and those that it harms most: up to 50 of each.
-- Columns: change, locale, query_id, query, model_ndcg, encoder_ndcg, difference, judgements
with
compared as (
    select
        if(model.ndcg > encoder.ndcg, 'improved', 'harmed') as change,
        model.locale,
        model.query_id,
        model.query,
        model.ndcg as model_ndcg,
        encoder.ndcg as encoder_ndcg,
        model.ndcg - encoder.ndcg as difference,
        model.judgements
    from evaluation.queries as model
    join evaluation.queries as encoder using (model_id, locale, query_id)
    where model.ranker = 'model'
        and encoder.ranker = 'encoder'
        and model_id = (select arg_max(model_id, release) from vectors.releases)
        and model.ndcg <> encoder.ndcg
)
select *
from compared
qualify row_number() over (partition by change order by abs(difference) desc, locale, query_id) <= 50
order by change, abs(difference) desc, locale, query_id
