-- What was measured of the models.
select model_id, locale, system, metric, value, low, high, queries, inputs
from evaluation.metrics
order by key
