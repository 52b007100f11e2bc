-- Queries that changed, and all that have a text which one of them has, or had when it was last looked at.
with
texts as (
    select locale, lower(query) as folded
    from staging.queries
    where key in (select key from touched where "table" = 'staging.queries')
    union
    select locale, lower(query) as folded
    from training.queries
    where key in (select key from touched where "table" = 'staging.queries')
)
select key from touched where "table" = 'staging.queries'
union
select key from staging.queries where (locale, lower(query)) in (from texts)
