-- The searches for known products by one model.
select locale, ranker, metric, value, queries, inputs
from evaluation.known_items
where model_id = $model_id
order by key
