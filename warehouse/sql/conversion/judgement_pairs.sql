-- One row per judged query and product: the rows without a fault, of which several become one by $combine. A tie gives the
-- less relevant label.
with
counted as (
    select
        locale,
        query_id,
        product_id,
        count(*) as rows,
        arg_min(struct_pack(file, row, query, label, split, small_version, large_version, context_key, example_id), place) as first,
        max(event_time) as event_time,
        avg(grade) as grade,
        count(*) filter (label = 'E') as e,
        count(*) filter (label = 'S') as s,
        count(*) filter (label = 'C') as c,
        count(*) filter (label = 'I') as i
    from judgement_rows
    where len(problems) = 0
    group by all
)
select
    locale,
    query_id,
    product_id,
    first,
    event_time,
    rows,
    case $combine
        when 'best' then case when e > 0 then 'E' when s > 0 then 'S' when c > 0 then 'C' else 'I' end
        when 'worst' then case when i > 0 then 'I' when c > 0 then 'C' when s > 0 then 'S' else 'E' end
        when 'majority' then
            case greatest(e, s, c, i) when i then 'I' when c then 'C' when s then 'S' else 'E' end
        when 'mean' then
            case
                when $exact is not null then label_at(grade, $exact, $substitute, $complement)
                -- the mean of I 0, C 1, S 2, E 3, rounded, halves down
                else ['I', 'C', 'S', 'E'][(2 * (3 * e + 2 * s + c) + rows - 1) // (2 * rows) + 1]
            end
        else first.label
    end as label
from counted
