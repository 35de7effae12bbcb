-- visible_any --
-- True for an item that a search without a filter may show. Few items expire, so the index of the expired ones answers
-- this without reading the item.
c.item not in (select i.id from hybrid_items i where i.expires_at <= :now)

-- visible_filtered --
-- True for an item that has not expired and meets the filter.
exists (select 1 from hybrid_items i where i.id = c.item and $not_expired and $where)

-- count_items --
-- Count the items of a range of namespaces, from the counts that each write keeps.
select coalesce(sum(items), 0) from hybrid_namespaces where path >= :low and path < :high

-- count_filtered --
-- Count the items of a range of namespaces that meet a condition.
select count(*) from hybrid_namespaces n join hybrid_items i on i.ns = n.id
where n.path >= :low and n.path < :high and $where

-- score_terms --
-- Score the items of a range by BM25, with term counts of the range. Scores are rounded, because a sum in another order
-- may differ in its last digits and would order ties at random.
with scope as materialized (
  select id, items, length from hybrid_namespaces where path >= :low and path < :high),
size as materialized (
  select cast(sum(items) as real) as n, max(cast(sum(length) as real) / max(sum(items), 1), 1.0) as mean from scope),
found as materialized (
  select p.term, p.item, p.tf, p.length
  from scope s cross join json_each(:terms) w cross join hybrid_postings p
  where p.ns = s.id and p.term = w.value),
weights as materialized (
  select f.term, ln(1 + (z.n - count(*) + .5) / (count(*) + .5))
    * json_extract(:times, '$$[' || (select key from json_each(:terms) where value = f.term) || ']') as weight
  from found f cross join size z group by f.term),
scored as materialized (
  select f.item, cast(sum(w.weight * f.tf / (f.tf + $k1 * (1 - $b + $b * f.length / z.mean))) * 1e9 + .5 as integer) / 1e9
    as score
  from found f join weights w on w.term = f.term cross join size z group by f.item)

-- rank_words --
-- Read one page of the items that hold any term of the query, the best first.
$score_terms,
page as materialized (
  select c.item, c.score from scored c where $visible order by c.score desc, c.item limit :limit offset :offset)
select $columns, p.score
from page p cross join hybrid_items i on i.id = p.item cross join hybrid_namespaces n on n.id = i.ns
order by p.score desc, i.id

-- matching --
-- List the items of a range that hold any term of the query.
$score_terms
select c.item from scored c where $visible

-- score_words --
-- Return item and BM25 score of the best candidates, and of the items named in `ids`.
$score_terms,
live as materialized (select c.item, c.score from scored c where $visible)
select item, score from (select item, score from live order by score desc, item limit :candidates)
union select item, score from live where item in (select value from json_each(:ids))

-- score_vectors --
-- Return every item of a range with its similarity to the query, compared exactly.
select c.item, c.embedding
from hybrid_namespaces n cross join hybrid_vectors c on c.ns = n.id
where n.path >= :low and n.path < :high and $visible

-- score_nearest --
-- Return the items nearest to the query.
-- There is no vector index here, so the whole scope is compared.
$score_vectors

-- score_these --
-- Return the similarity to the query of the items named in `ids`.
select v.item, v.embedding
from json_each(:ids) w cross join hybrid_items i on i.id = w.value
cross join hybrid_vectors v on v.ns = i.ns and v.item = i.id
