-- The name of a value's bin. Numbers are binned by the edges (the smallest value, then the upper bounds of all bins but the
-- last), other values by the top values. The name of a numeric bin begins with its number, so that names sort.
create or replace temp macro bin_of(kind, edges, top, number, text) as case
    when text is null then 'missing'
    when kind <> 'numeric' then if(list_contains(top, text), concat('= ', text), 'other')
    when len(edges) = 0 then 'new'
    when number < edges[1] then format('00: < {:.6g}', edges[1])
    when len(edges) = 1 or number > edges[-1] then format('{:02d}: > {:.6g}', len(edges), edges[-1])
    else format(
        '{:02d}: ≤ {:.6g}',
        1 + len(list_filter(edges[2:], lambda edge: edge < number)),
        list_min(list_filter(edges[2:], lambda edge: edge >= number))
    )
end
