-- columns --
n.path, i.key, i.value, i.created_at, i.updated_at, i.version, i.ttl, i.id

-- alive --
(i.expires_at is null or i.expires_at > %(now)s)

-- items --
$schema.hybrid_items

-- items_at --
(select id, ns, key, value, created_at, updated_at, version, null as ttl, recorded_from, expires_at, terms
 from $schema.hybrid_items where recorded_from <= %(revision)s
 union all
 select item, ns, key, value, created_at, updated_at, version, null, recorded_from, expires_at, terms
 from $schema.hybrid_versions
 where recorded_from <= %(revision)s and recorded_to > %(revision)s and value is not null)

-- get --
select w.position - 1, $columns
from unnest(%(paths)s::text[], %(keys)s::text[]) with ordinality w(path, key, position)
join $schema.hybrid_namespaces n on n.path = w.path
cross join lateral (select * from $schema.hybrid_items where ns = n.id and key = w.key limit 1) i
where $alive

-- get_at --
select w.position - 1, $columns
from unnest(%(paths)s::text[], %(keys)s::text[]) with ordinality w(path, key, position)
join $schema.hybrid_namespaces n on n.path = w.path
join $items_at i on i.ns = n.id and i.key = w.key
where $alive

-- browse --
select $columns
from $schema.hybrid_namespaces n join $source i on i.ns = n.id
where n.path >= %(low)s and n.path < %(high)s and $alive and $where
order by i.recorded_from desc, i.id desc limit %(limit)s offset %(offset)s

-- by_id --
select $columns
from unnest(%(ids)s::bigint[]) with ordinality w(id, position)
join $schema.hybrid_items i on i.id = w.id join $schema.hybrid_namespaces n on n.id = i.ns
order by w.position

-- scan --
select $columns, i.terms, i.recorded_from, $where as chosen
from $schema.hybrid_namespaces n join $source i on i.ns = n.id
where n.path >= %(low)s and n.path < %(high)s and $alive

-- paths --
select n.path from $schema.hybrid_namespaces n
where n.path >= %(low)s and n.path < %(high)s and exists (select 1 from $source i where i.ns = n.id and $alive)
order by n.path

-- refresh --
update $schema.hybrid_items set expires_at = %(now)s + ttl * interval '1 minute'
where id = any(%(ids)s::bigint[]) and ttl is not null and expires_at > %(now)s

-- revision --
select coalesce(max(revision), 0) from $schema.hybrid_commits

-- commit_time --
select max(at) from $schema.hybrid_commits where revision <= %(revision)s

-- history --
select h.value, h.version, h.recorded_from, h.updated_at, c.source
from (select ns, key, value, version, recorded_from, updated_at from $schema.hybrid_versions
      union all select ns, key, value, version, recorded_from, updated_at from $schema.hybrid_items) h
join $schema.hybrid_namespaces n on n.id = h.ns
left join $schema.hybrid_commits c on c.revision = h.recorded_from
where n.path = %(path)s and h.key = %(key)s
order by h.version

-- paths_ever --
-- Also those of which only history is left.
select n.path from $schema.hybrid_namespaces n
where n.path >= %(low)s and n.path < %(high)s and right(n.path, length(%(suffix)s)) = %(suffix)s
order by n.path

-- ever --
select distinct n.path, i.key
from $schema.hybrid_namespaces n
join (select ns, key, value from $schema.hybrid_items
      union all select ns, key, value from $schema.hybrid_versions where value is not null) i on i.ns = n.id
where n.path >= %(low)s and n.path < %(high)s and $where
order by n.path, i.key

-- database --
-- With its place: a copy of the database or the schema has its id, too.
select value || ' ' || current_database() || ' ' || tableoid from $schema.hybrid_facts where name = 'database'

-- fact --
select value from $schema.hybrid_facts where name = %(name)s
