-- The columns of raw.judgements, one row per labeled pair; the query is written as most of its rows write it.
with
spellings as (
    select locale, folded, query, count(*) as rows from click_rows where len(problems) = 0 group by all
),
queries as (
    select
        locale,
        folded,
        arg_min(query, (-rows, query)) as query,
        any_value(number) as query_id,
        any_value(split) as split
    from spellings
    join folded_queries using (locale, query, folded)
    group by all
)
select
    -- ids
    number_of(concat(locale, ':', query_id, ':', product_id)) as example_id,
    query,
    query_id,
    product_id,
    locale as product_locale,
    -- values
    label as esci_label,
    1::bigint as small_version,
    1::bigint as large_version,
    split,
    event_time,
    null::varchar as context_key
from click_pairs
join queries using (locale, folded)
where label is not null
order by product_locale, query_id, product_id
