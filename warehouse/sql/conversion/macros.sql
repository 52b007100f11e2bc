-- The rules by which values of declared columns are read, for judgements and clicks alike.
create or replace temp macro is_blank(value) as regexp_full_match(coalesce(value, ''), '[\s\p{Z}]*');
-- Spellings are compared without case and blanks.
create or replace temp macro spelled(value) as lower(regexp_replace(value, '[\s\p{Z}]+', '', 'g'));
-- A positive number of 53 bits, which JSON can hold, the same on every machine.
create or replace temp macro number_of(value) as (md5_number_lower(value) % 9007199254740991 + 1)::bigint;
-- A whole number is an id as it stands; every other text is hashed.
create or replace temp macro is_whole(value) as regexp_full_match(trim(value), '0|-?[1-9][0-9]{0,17}');
create or replace temp macro id_of(value) as
    case when is_whole(value) then trim(value)::bigint else number_of(trim(value)) end;
create or replace temp macro is_decimal(value) as regexp_full_match(trim(value), '[+-]?[0-9]*[.][0-9]*');
-- The split of validation queries hashes locale and text too; another prefix keeps the two independent.
create or replace temp macro is_test(locale, folded, percent) as
    md5_number_lower(concat('test:', locale, ':', folded)) % 100 < percent;
create or replace temp macro grade_of(value) as
    case
        when regexp_full_match(trim(value), '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)') then try_cast(trim(value) as decimal(18, 6))
    end;
-- A count is a whole number, also as 3.0, or a yes or no.
create or replace temp macro count_of(value) as
    case
        when regexp_full_match(trim(value), '[+-]?[0-9]{1,15}([.]0*)?') then trim(value)::double::bigint
        else try_cast(trim(value) as boolean)::bigint
    end;
-- A time without a zone is UTC; a number of 10 digits is seconds since 1970, one of 13 digits milliseconds.
create or replace temp macro time_of(value) as
    case
        when regexp_full_match(trim(value), '[0-9]{10}') then make_timestamptz(trim(value)::bigint * 1000000)
        when regexp_full_match(trim(value), '[0-9]{13}') then make_timestamptz(trim(value)::bigint * 1000)
        else try_cast(value as timestamptz)
    end;
create or replace temp macro label_at(grade, e, s, c) as
    case when grade >= e then 'E' when grade >= s then 'S' when grade >= c then 'C' else 'I' end;
-- The problem as a list of one, or an empty list.
create or replace temp macro problem_if(is_wrong, name, value, rule) as
    case when is_wrong then [{'column': name, 'value': value, 'rule': rule}] else [] end;
create or replace temp macro time_problems(value, now) as
    problem_if(not is_blank(value) and time_of(value) is null, 'event_time', value, 'event_time_wrong_type')
    || problem_if(time_of(value) > now, 'event_time', value, 'event_time_in_future');
create or replace temp macro count_problems(name, value) as
    problem_if(not is_blank(value) and count_of(value) is null, name, value, concat(name, '_wrong_type'))
    || problem_if(count_of(value) < 0, name, value, concat(name, '_negative'));
