-- The train and validation pairs.
select key, query_key, product_key, label, split
from training.pairs
where split in ('train', 'validation')
order by key
