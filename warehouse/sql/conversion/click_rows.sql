-- One row per row of a click log: what the row counts, and everything that is wrong with it. A counter that is not declared
-- is 1 for impressions and 0 for the others; without any counter or event a row is one click.
select
    -- place
    file,
    row,
    -- ids
    locale,
    folded,
    query,
    product_id,
    -- counts
    case
        when $has_event then (kind = 'impressions')::bigint
        when $has_impressions then count_of(impressions)
        else 1
    end as impressions,
    case when $has_event then (kind = 'clicks')::bigint when $has_clicks then count_of(clicks) else (not $has_counter)::bigint end as clicks,
    case when $has_event then (kind = 'carts')::bigint when $has_carts then count_of(carts) end as carts,
    case when $has_event then (kind = 'orders')::bigint when $has_orders then count_of(orders) end as orders,
    -- time
    time_of(event_time) as event_time,
    -- faults
    problem_if(folded is null, 'query', query, 'query_blank')
    || problem_if(is_blank(product_id), 'product_id', product_id, 'product_id_missing')
    || problem_if($has_event and is_blank(event), 'event', event, 'event_missing')
    || count_problems('impressions', impressions)
    || count_problems('clicks', clicks)
    || count_problems('carts', carts)
    || count_problems('orders', orders)
    || time_problems(event_time, $now) as problems
from source_rows
left join folded_queries using (locale, query)
left join events on events.spelling = spelled(event)
