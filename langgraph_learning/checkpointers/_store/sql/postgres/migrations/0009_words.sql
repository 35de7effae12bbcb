-- One row holds all words of an item; a row for each word took six times as much. The index keeps numbers that follow
-- from the words, because an index of this kind never forgets a value. A high cost makes the planner prefer the index.
create function $schema.hybrid_word_keys(ns int, terms text) returns bigint[]
language sql immutable strict parallel safe cost 1000
return array(select hashtextextended(term collate "C", ns) from string_to_table(terms, ' ') term);
-- How often a word occurs is in `repeats`, if it is more than once.
create table $schema.hybrid_words (
  item bigint primary key, ns int not null, length int not null, terms text not null, repeats jsonb
);
insert into $schema.hybrid_words (item, ns, length, terms, repeats)
select id, ns, length, terms, (
  select jsonb_object_agg(term, times) from (
    select term, count(*) as times from string_to_table(terms, ' ') term group by term having count(*) > 1) counted)
from $schema.hybrid_items where terms is not null order by id;
create index hybrid_words_keys on $schema.hybrid_words using gin ($schema.hybrid_word_keys(ns, terms))
with (fastupdate = off);
drop table $schema.hybrid_postings;
alter table $schema.hybrid_items drop column terms, drop column length
