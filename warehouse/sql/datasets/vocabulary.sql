-- The fitted vocabulary.
select key, id, kind, value, products, share
from fitted.vocabulary
order by key
