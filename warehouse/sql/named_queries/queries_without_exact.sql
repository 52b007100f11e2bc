-- Queries without an Exact product, which the catalog may lack; those with the most judgements come first.
-- Columns: locale, query_id, query, split, judgements, best_label
select
    queries.locale,
    queries.query_id,
    queries.query,
    queries.split,
    count(*) as judgements,
    ['S', 'C', 'I'][min(list_position(['S', 'C', 'I'], judgements.label))] as best_label
from staging.judgements as judgements
join staging.queries as queries on queries.key = judgements.query_key
group by all
having bool_and(judgements.label <> 'E')
order by judgements desc, queries.locale, queries.query_id
