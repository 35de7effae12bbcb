-- chosen_any --
-- Without a filter only what has expired is left out: few, by an index, and the items need not be read.
c.item not in (select i.id from hybrid_items i where i.expires_at <= :now)

-- chosen_by --
exists (select 1 from hybrid_items i where i.id = c.item and $alive and $where)

-- size --
select coalesce(sum(items), 0) from hybrid_namespaces where path >= :low and path < :high

-- words --
-- BM25, k1 .9, b .4, counted over the scope; rounded, so that sums in another order tie alike.
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
  select f.item, cast(sum(w.weight * f.tf / (f.tf + .9 * (.6 + .4 * f.length / z.mean))) * 1e9 + .5 as integer) / 1e9
    as score
  from found f join weights w on w.term = f.term cross join size z group by f.item)

-- rank_words --
$words,
page as materialized (
  select c.item, c.score from scored c where $chosen order by c.score desc, c.item limit :limit offset :offset)
select $columns, p.score
from page p cross join hybrid_items i on i.id = p.item cross join hybrid_namespaces n on n.id = i.ns
order by p.score desc, i.id

-- rank_all --
$words
select $columns, coalesce(s.score, 0.0)
from scope c cross join hybrid_namespaces n on n.id = c.id cross join hybrid_items i on i.ns = n.id
left join scored s on s.item = i.id
where $alive and $where and i.id not in (select value from json_each(:ids))
order by coalesce(s.score, 0) desc, case when s.score is not null then i.id else 0 end, i.recorded_from desc, i.id desc
limit :limit offset :offset

-- score_words --
$words,
live as materialized (select c.item, c.score from scored c where $chosen)
select item, score from (select item, score from live order by score desc, item limit :candidates)
union select item, score from live where item in (select value from json_each(:ids))

-- score_vectors --
select c.item, c.embedding
from hybrid_namespaces n cross join hybrid_vectors c on c.ns = n.id
where n.path >= :low and n.path < :high and $chosen

-- score_nearest --
-- There is no index to ask: all of the scope is compared.
$score_vectors

-- score_these --
select v.item, v.embedding
from json_each(:ids) w cross join hybrid_items i on i.id = w.value
cross join hybrid_vectors v on v.ns = i.ns and v.item = i.id
