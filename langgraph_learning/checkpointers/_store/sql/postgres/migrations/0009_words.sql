-- One row holds all words of an item; a row for each word took six times as much. An index of this kind never forgets a
-- value, so it holds no words, but numbers made from them and from the salt of their namespace: when a user is forgotten,
-- the salt goes, too, and the numbers that stay tell nobody a word. The high cost makes the planner prefer the index.
alter table $schema.hybrid_namespaces add column salt bigint not null
  default hashtextextended(gen_random_uuid()::text, 0);
create function $schema.hybrid_word_keys(salt bigint, terms text) returns bigint[]
language sql immutable strict parallel safe cost 1000
return array(select hashtextextended(term collate "C", salt) from string_to_table(terms, ' ') term);
-- It reads no table. Without this, roles that may use the tables could not search where functions are nobody's by default.
grant execute on function $schema.hybrid_word_keys(bigint, text) to public;
-- How often a word occurs is in `repeats`, if it is more than once.
create table $schema.hybrid_words (
  item bigint primary key, salt bigint not null, ns int not null, length int not null, terms text not null, repeats jsonb
);
insert into $schema.hybrid_words (item, salt, ns, length, terms, repeats)
select i.id, n.salt, i.ns, i.length, i.terms, (
  select jsonb_object_agg(term, times) from (
    select term, count(*) as times from string_to_table(i.terms, ' ') term group by term having count(*) > 1) counted)
from $schema.hybrid_items i join $schema.hybrid_namespaces n on n.id = i.ns where i.terms is not null order by i.id;
create index hybrid_words_keys on $schema.hybrid_words using gin ($schema.hybrid_word_keys(salt, terms))
with (fastupdate = off);
drop table $schema.hybrid_postings;
alter table $schema.hybrid_items drop column terms, drop column length
