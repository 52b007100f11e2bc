-- The pairs that training may see.
select query_key, product_key, label, split
from training.pairs
where split in ('train', 'validation')
order by key
