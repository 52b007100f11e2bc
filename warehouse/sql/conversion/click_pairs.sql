-- One row per query, locale and product of the rows without a fault: the counts, and the label that the rule gives. A cart or
-- an order counts as a click, where the log has no click for it. A pair that meets no condition has no label. Products that
-- the catalog does not know are left out.
with
counted as (
    select
        locale,
        folded,
        product_id,
        coalesce(sum(impressions), 0)::bigint as impressions,
        coalesce(sum(clicks), 0)::bigint as clicks,
        coalesce(sum(carts), 0)::bigint as carts,
        coalesce(sum(orders), 0)::bigint as orders,
        max(event_time) as event_time
    from click_rows
    where len(problems) = 0 and (locale, product_id) not in (select (locale, product_id) from unknown_products)
    group by all
)
select
    *,
    case
        when (orders >= $exact_orders or carts >= $exact_carts or clicks >= $exact_clicks)
            and greatest(clicks, carts, orders) >= $exact_rate * impressions then 'E'
        when greatest(clicks, carts, orders) >= $substitute_clicks then 'S'
        when greatest(clicks, carts, orders) = 0 and impressions >= $min_impressions then 'I'
    end as label
from counted
