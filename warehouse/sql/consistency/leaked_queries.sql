-- The number of query texts that occur both in the test split and outside it, in one locale; it must be 0.
select count(*)
from (
    select locale, lower(query)
    from training.pairs
    group by all
    having bool_or(split = 'test') and bool_or(split <> 'test')
)
