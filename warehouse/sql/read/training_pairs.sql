-- The pairs that training may see.
select key, query_key, product_key, label, split
from training.pairs
where split in ('train', 'validation')
order by key
