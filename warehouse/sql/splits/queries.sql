-- The split of every query. Validation queries are train queries drawn by a hash of their text, so that equal texts stay
-- together. A train query whose text also occurs in the test split of its locale is left out.
with
queries as (
    select key, locale, query, lower(query) as folded, split from staging.queries
),
test_texts as (
    select distinct locale, folded from queries where split = 'test'
)
select
    -- ids
    key,
    locale,
    -- text
    query,
    case
        when split = 'train' and md5_number_lower(concat(locale, ':', folded)) % 100 < $validation_percent then 'validation'
        else split
    end as split
from queries
where split = 'test' or (locale, folded) not in (from test_texts)
