-- The fitted vocabulary, as a model keeps it.
select key, id, kind, value, products, share
from fitted.vocabulary
order by key
