-- What is known of a query the moment it is typed. The searcher runs this same file on one row.
with
queries as (
    select * from staging.queries
)
select
    -- ids
    key,
    locale,
    -- numbers
    length(query) as query_chars,
    len(string_split(query, ' ')) as query_words,
    len(regexp_extract_all(query, '[0-9]+')) as query_numbers,
    -- flags
    regexp_matches(lower(query), '\b(without|not|no|non|sin|excepto)\b|なし|無し|以外|ない') as has_negation
from queries
