-- The query texts that the model learned from or was chosen by.
select distinct locale, lower(query) as query
from training.pairs
where split in ('train', 'validation')
