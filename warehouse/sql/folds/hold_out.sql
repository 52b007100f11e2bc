-- Hold out one fold of the queries, by a hash of their text; the other half of the same hash carves validation from the rest.
update staging.queries
set split = if(md5_number_upper(concat(locale, ':', lower(query))) % $folds = $fold - 1, 'test', 'train')
