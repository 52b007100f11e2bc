-- Query strings that stand both in test and outside of it, in one locale: there must be none.
select count(*)
from (
    select locale, lower(query)
    from training.pairs
    group by all
    having bool_or(split = 'test') and bool_or(split <> 'test')
)
