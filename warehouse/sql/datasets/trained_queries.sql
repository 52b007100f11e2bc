-- The query texts of the train and validation splits.
select distinct locale, lower(query) as query
from training.pairs
where split in ('train', 'validation')
