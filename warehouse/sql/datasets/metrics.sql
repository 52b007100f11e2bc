-- The metrics of one model.
select model_id, locale, slice, part, ranker, metric, value, low, high, queries, inputs
from evaluation.metrics
where model_id = $model_id
order by key
