-- How often each value of each feature occurs, by locale and in all: one pass over the view `monitored`
-- (locale, features: a list of column_name, kind, number, text), from which all statistics follow.
with
long as (
    select locale, unnest(features, recursive := true)
    from monitored
),
by_locale as (
    select locale, column_name, kind, number, text, count(*) as n
    from long
    group by all
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
