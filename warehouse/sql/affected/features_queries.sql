-- Queries that changed, and all of them once a brand or a colour entered or left the vocabulary.
select key from touched where "table" = 'staging.queries'
union
select key
from staging.queries
where exists (select 1 from touched where "table" = 'fitted.vocabulary' and (old is null or new is null))
