-- columns --
-- The columns of an item that every read returns, in the order that `stored_item` reads them.
n.path, i.key, i.value, i.created_at, i.updated_at, i.version, i.ttl, i.id

-- not_expired --
-- True for an item that has not expired by now.
(i.expires_at is null or i.expires_at > %(now)s)

-- items --
-- The present items.
$schema.hybrid_items

-- items_at --
-- The items of a revision: those that have not changed since, and the old versions that were valid then.
(select id, ns, key, value, created_at, updated_at, version, null as ttl, recorded_from, expires_at,
   (select t.terms from $schema.hybrid_words t where t.item = c.id) as terms
 from $schema.hybrid_items c where recorded_from <= %(revision)s
 union all
 select item, ns, key, value, created_at, updated_at, version, null, recorded_from, expires_at, terms
 from $schema.hybrid_versions
 where recorded_from <= %(revision)s and recorded_to > %(revision)s and value is not null)

-- get_items --
-- Read items by namespace and key; each row carries its position in the request.
select w.position - 1, $columns
from unnest(%(paths)s::text[], %(keys)s::text[]) with ordinality w(path, key, position)
join $schema.hybrid_namespaces n on n.path = w.path
cross join lateral (select * from $schema.hybrid_items where ns = n.id and key = w.key limit 1) i
where $not_expired

-- get_items_at --
-- Read items by namespace and key as they were at a revision.
select w.position - 1, $columns
from unnest(%(paths)s::text[], %(keys)s::text[]) with ordinality w(path, key, position)
join $schema.hybrid_namespaces n on n.path = w.path
join $items_at i on i.ns = n.id and i.key = w.key
where $not_expired

-- browse --
-- Read one page of a range of namespaces, the most recently written first, without the items named in `ids`. The
-- lateral join reads from the index of each namespace only as many rows as the page may need.
select $columns
from $schema.hybrid_namespaces n cross join lateral (
  select * from $schema.hybrid_items i
  where i.ns = n.id and $not_expired and $where and i.id <> all(%(ids)s::bigint[])
  order by i.recorded_from desc, i.id desc limit %(limit)s + %(offset)s) i
where n.path >= %(low)s and n.path < %(high)s
order by i.recorded_from desc, i.id desc limit %(limit)s offset %(offset)s

-- browse_as_of --
-- Read one page of a range of namespaces as it was at a revision, the most recently written first.
select $columns
from $schema.hybrid_namespaces n join $source i on i.ns = n.id
where n.path >= %(low)s and n.path < %(high)s and $not_expired and $where
order by i.recorded_from desc, i.id desc limit %(limit)s offset %(offset)s

-- get_by_id --
-- Read items by id, in the order of the ids.
select $columns
from unnest(%(ids)s::bigint[]) with ordinality w(id, position)
join $schema.hybrid_items i on i.id = w.id join $schema.hybrid_namespaces n on n.id = i.ns
order by w.position

-- scan_as_of --
-- Read every item of a range as it was at a revision, with its stored terms, because the past has no index of words.
select $columns, i.terms, i.recorded_from, $where as matches
from $schema.hybrid_namespaces n join $source i on i.ns = n.id
where n.path >= %(low)s and n.path < %(high)s and $not_expired

-- list_paths --
-- List the namespaces of a range that hold at least one item that has not expired.
select n.path from $schema.hybrid_namespaces n
where n.path >= %(low)s and n.path < %(high)s and exists (select 1 from $source i where i.ns = n.id and $not_expired)
order by n.path

-- refresh_ttl --
-- Restart the time to live of items that were read.
update $schema.hybrid_items set expires_at = %(now)s + ttl * interval '1 minute'
where id = any(%(ids)s::bigint[]) and ttl is not null and expires_at > %(now)s

-- last_revision --
-- Return the number of the last commit; 0 before the first one.
select coalesce(max(revision), 0) from $schema.hybrid_commits

-- commit_time --
-- Return when a revision was committed; null when it is older than the first commit.
select max(at) from $schema.hybrid_commits where revision <= %(revision)s

-- item_history --
-- Read every state of an item, the oldest first, with the source of the commit that made it.
select h.value, h.version, h.recorded_from, h.updated_at, c.source
from (select ns, key, value, version, recorded_from, updated_at from $schema.hybrid_versions
      union all select ns, key, value, version, recorded_from, updated_at from $schema.hybrid_items) h
join $schema.hybrid_namespaces n on n.id = h.ns
left join $schema.hybrid_commits c on c.revision = h.recorded_from
where n.path = %(path)s and h.key = %(key)s
order by h.version

-- all_paths --
-- List the namespaces of a range that end in a suffix, including those with nothing but history.
select n.path from $schema.hybrid_namespaces n
where n.path >= %(low)s and n.path < %(high)s and right(n.path, length(%(suffix)s)) = %(suffix)s
order by n.path

-- all_places --
-- List namespace and key of every item of which any state, present or past, meets a condition.
select distinct n.path, i.key
from $schema.hybrid_namespaces n
join (select ns, key, value from $schema.hybrid_items
      union all select ns, key, value from $schema.hybrid_versions where value is not null) i on i.ns = n.id
where n.path >= %(low)s and n.path < %(high)s and $where
order by n.path, i.key

-- database_id --
-- Return the id of this database with its location, because a copy of the database has the same id.
select value || ' ' || current_database() || ' ' || tableoid from $schema.hybrid_facts where name = 'database'

-- get_fact --
-- Read one fact about this database.
select value from $schema.hybrid_facts where name = %(name)s
