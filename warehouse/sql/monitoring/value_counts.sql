-- The number of occurrences of each value of each feature, by locale and overall, from the view `counted` (locale, feature:
-- column_name, kind, number, text; n). The view reads the table once, and all statistics are computed from these counts.
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
