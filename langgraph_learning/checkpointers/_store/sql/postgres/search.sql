-- visible_any --
-- True for an item that a search without a filter may show. Few items expire, so the index of the expired ones answers
-- this without reading the item.
c.item not in (select i.id from $schema.hybrid_items i where i.expires_at <= %(now)s)

-- visible_filtered --
-- True for an item that has not expired and meets the filter.
exists (select 1 from $schema.hybrid_items i where i.id = c.item and $not_expired and $where)

-- count_items --
-- Count the items of a range of namespaces, from the counts that each write keeps.
select coalesce(sum(items), 0)::bigint from $schema.hybrid_namespaces where path >= %(low)s and path < %(high)s

-- count_filtered --
-- Count the items of a range of namespaces that meet a condition.
select count(*) from $schema.hybrid_namespaces n join $schema.hybrid_items i on i.ns = n.id
where n.path >= %(low)s and n.path < %(high)s and $where

-- score_terms --
-- Score the items of a range by BM25, with term counts of the range. Scores are rounded, because a sum in another order
-- may differ in its last digits and would order ties at random. The offset makes the planner look each term up in the
-- index by its key; two terms have the same one as good as never.
with scope as materialized (
  select salt, items, length from $schema.hybrid_namespaces where path >= %(low)s and path < %(high)s),
size as materialized (
  select sum(items)::float8 as n, greatest(sum(length)::float8 / greatest(sum(items), 1), 1.0) as mean from scope),
found as materialized (
  select p.term, p.item, p.tf, p.length
  from scope s cross join unnest(%(terms)s::text[]) w(term)
  cross join lateral (
    select w.term, t.item, coalesce((t.repeats ->> w.term)::int, 1) as tf, t.length from $schema.hybrid_words t
    where $schema.hybrid_word_keys(t.salt, t.terms) @> array[hashtextextended(w.term collate "C", s.salt)] offset 0) p),
weights as materialized (
  select f.term, ln(1 + (z.n - count(*) + .5::float8) / (count(*) + .5::float8))
    * (select w.times from unnest(%(terms)s::text[], %(times)s::int[]) w(term, times) where w.term = f.term) as weight
  from found f cross join size z group by f.term, z.n),
scored as materialized (
  select f.item,
    floor(sum(w.weight * f.tf / (f.tf + $k1::float8 * (1 - $b::float8 + $b::float8 * f.length / z.mean))) * 1e9 + .5) / 1e9
    as score
  from found f join weights w on w.term = f.term cross join size z group by f.item)

-- rank_words --
-- Read one page of the items that hold any term of the query, the best first.
$score_terms,
page as materialized (
  select c.item, c.score from scored c where $visible order by c.score desc, c.item limit %(limit)s offset %(offset)s)
select $columns, p.score
from page p join $schema.hybrid_items i on i.id = p.item join $schema.hybrid_namespaces n on n.id = i.ns
order by p.score desc, i.id

-- matching --
-- List the items of a range that hold any term of the query.
$score_terms
select c.item from scored c where $visible

-- score_words --
-- Return item and BM25 score of the best candidates, and of the items named in `ids`.
$score_terms,
live as materialized (select c.item, c.score from scored c where $visible)
select coalesce(string_agg(int8send(item) || float8send(score), ''::bytea), ''::bytea) from (
  (select item, score from live order by score desc, item limit %(candidates)s)
  union select item, score from live where item = any(%(ids)s::bigint[])) x

-- score_vectors --
-- Return every item of a range with its similarity to the query, compared exactly.
-- The `+ 0` keeps the planner from using the vector index, which filters afterwards and would lose rows.
select coalesce(string_agg(int8send(c.item) || float8send(
  1 - ((c.embedding operator($vector.<=>) %(query)s::$vector.vector) + 0)), ''::bytea), ''::bytea)
from $schema.hybrid_namespaces n join $schema.hybrid_vectors c on c.ns = n.id
where n.path >= %(low)s and n.path < %(high)s and $visible

-- score_nearest --
-- Return the items nearest to the query.
select coalesce(string_agg(int8send(item) || float8send(score), ''::bytea), ''::bytea) from (
  select c.item, 1 - (c.embedding operator($vector.<=>) %(query)s::$vector.vector) as score
  from $schema.hybrid_vectors c join $schema.hybrid_namespaces n on n.id = c.ns
  where n.path >= %(low)s and n.path < %(high)s and $visible
  order by c.embedding operator($vector.<=>) %(query)s::$vector.vector limit %(candidates)s) x

-- score_these --
-- Return the similarity to the query of the items named in `ids`.
select coalesce(string_agg(int8send(v.item) || float8send(
  1 - (v.embedding operator($vector.<=>) %(query)s::$vector.vector)), ''::bytea), ''::bytea)
from $schema.hybrid_items i join $schema.hybrid_vectors v on v.ns = i.ns and v.item = i.id
where i.id = any(%(ids)s::bigint[])
