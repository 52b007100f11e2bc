-- The hard negatives that training may draw from.
select key, query_key, product_key
from training.negatives
order by key
