-- The split of every query. Validation is carved from train by a hash of the query's text, so that equal texts stay together;
-- train queries whose text also stands in test of their locale are left out.
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
