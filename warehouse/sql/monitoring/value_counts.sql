-- How often each value of each feature occurs, by locale and in all: from the view `counted`
-- (locale, feature: column_name, kind, number, text; n), one pass over a table, from which all statistics follow.
with
by_locale as (
    select locale, unnest(feature), n
    from counted
)
select
    coalesce(locale, 'all') as locale,
    column_name,
    kind,
    number,
    text,
    sum(n)::bigint as n
from by_locale
group by grouping sets ((column_name, kind, number, text), (column_name, kind, number, text, locale))
having grouping(locale) = 1 or locale is not null
