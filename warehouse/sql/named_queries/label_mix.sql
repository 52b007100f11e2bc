-- The share of each label among the judgements of a locale.
-- Columns: locale, judgements, exact, substitute, complement, irrelevant
select
    locale,
    count(*) as judgements,
    avg((label = 'E')::int) as exact,
    avg((label = 'S')::int) as substitute,
    avg((label = 'C')::int) as complement,
    avg((label = 'I')::int) as irrelevant
from staging.judgements
group by locale
order by judgements desc
