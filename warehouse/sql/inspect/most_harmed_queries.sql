-- Test queries that the model harmed most, against its encoder, by nDCG.
-- Columns: locale, query_id, query, model_ndcg, encoder_ndcg, difference, judgements
select
    model.locale,
    model.query_id,
    model.query,
    model.ndcg as model_ndcg,
    encoder.ndcg as encoder_ndcg,
    model.ndcg - encoder.ndcg as difference,
    model.judgements
from evaluation.queries as model
join evaluation.queries as encoder using (model_id, locale, query_id)
where model.system = 'model'
    and encoder.system = 'encoder'
    and model_id = (select arg_max(model_id, release) from vectors.releases)
    and model.ndcg < encoder.ndcg
order by difference asc, locale, query_id
limit 50
