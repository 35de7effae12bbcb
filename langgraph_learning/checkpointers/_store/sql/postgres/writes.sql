-- read_current --
-- Read the rows that a transaction will change: ids, versions, expiry, and the highest numbers used so far.
-- The lateral join makes one index lookup for each key, even with outdated statistics of the tables.
select w.position - 1, n.id, i.id, i.version, i.created_at, i.expires_at,
  (select t.terms from $schema.hybrid_words t where t.item = i.id),
  (select max(v.version) from $schema.hybrid_versions v where v.ns = n.id and v.key = w.key),
  (select coalesce(max(revision), 0) from $schema.hybrid_commits),
  greatest((select coalesce(max(id), 0) from $schema.hybrid_namespaces),
    (select coalesce(max(value), 0) from $schema.hybrid_marks where name = 'namespaces')),
  greatest((select coalesce(max(id), 0) from $schema.hybrid_items),
    (select coalesce(max(value), 0) from $schema.hybrid_marks where name = 'items')),
  coalesce((select value from $schema.hybrid_marks where name = 'floor'), 0)
from unnest(%(paths)s::text[], %(keys)s::text[]) with ordinality w(path, key, position)
left join $schema.hybrid_namespaces n on n.path = w.path
left join lateral (select * from $schema.hybrid_items where ns = n.id and key = w.key limit 1) i on true
order by w.position

-- add_commit --
-- Record a commit with its time and its source.
insert into $schema.hybrid_commits (revision, at, source) values (%(revision)s, %(at)s, %(source)s::jsonb)

-- add_namespaces --
-- Add namespaces that hold their first item.
insert into $schema.hybrid_namespaces (id, path) select * from unnest(%(id)s::int[], %(path)s::text[])

-- supersede --
-- Copy items to their history before they change.
insert into $schema.hybrid_versions (ns, key, version, item, value, recorded_from, recorded_to,
  created_at, updated_at, expires_at, terms)
select ns, key, version, i.id, value, recorded_from, w.revision, created_at, updated_at, expires_at,
  (select t.terms from $schema.hybrid_words t where t.item = i.id)
from unnest(%(id)s::bigint[], %(revision)s::bigint[]) w(id, revision) join $schema.hybrid_items i on i.id = w.id

-- add_tombstones --
-- Record deletions in the history.
insert into $schema.hybrid_versions (ns, key, version, item, value, recorded_from, recorded_to,
  created_at, updated_at)
select ns, key, version, item, null, revision, revision, at, at
from unnest(%(ns)s::int[], %(key)s::text[], %(version)s::bigint[], %(item)s::bigint[],
  %(revision)s::bigint[], %(at)s::timestamptz[]) w(ns, key, version, item, revision, at)

-- delete_items --
-- Delete items; their history stays.
delete from $schema.hybrid_items where id = any(%(id)s::bigint[])

-- put_items --
-- Insert items, or replace those that have the same id.
insert into $schema.hybrid_items (id, ns, key, value, version, recorded_from, created_at, updated_at, expires_at, ttl)
select * from unnest(%(id)s::bigint[], %(ns)s::int[], %(key)s::text[], %(value)s::text[]::jsonb[],
  %(version)s::bigint[], %(recorded_from)s::bigint[], %(created_at)s::timestamptz[], %(updated_at)s::timestamptz[],
  %(expires_at)s::timestamptz[], %(ttl)s::float8[])
on conflict (id) do update set value = excluded.value, version = excluded.version,
  recorded_from = excluded.recorded_from, created_at = excluded.created_at, updated_at = excluded.updated_at,
  expires_at = excluded.expires_at, ttl = excluded.ttl

-- delete_words --
-- Delete the terms of items.
delete from $schema.hybrid_words where item = any(%(item)s::bigint[])

-- put_words --
-- Add the terms of items, which are the index of words.
insert into $schema.hybrid_words (item, salt, ns, length, terms, repeats)
select w.item, n.salt, w.ns, w.length, w.terms, (
  select jsonb_object_agg(key, value) from jsonb_each(w.counts::jsonb) where value <> '1'::jsonb)
from unnest(%(item)s::bigint[], %(ns)s::int[], %(length)s::int[], %(terms)s::text[], %(counts)s::text[])
  w(item, ns, length, terms, counts)
join $schema.hybrid_namespaces n on n.id = w.ns

-- delete_vectors --
-- Delete the vectors of items.
delete from $schema.hybrid_vectors v using unnest(%(ns)s::int[], %(item)s::bigint[]) w(ns, item)
where v.ns = w.ns and v.item = w.item

-- put_vectors --
-- Add vectors, one for each indexed field of an item.
insert into $schema.hybrid_vectors (ns, item, field, embedding)
select ns, item, field, embedding::$vector.vector
from unnest(%(ns)s::int[], %(item)s::bigint[], %(field)s::text[], %(embedding)s::text[]) w(ns, item, field, embedding)
on conflict (ns, item, field) do update set embedding = excluded.embedding

-- add_to_counts --
-- Add to the counts of items and of terms that a namespace keeps.
update $schema.hybrid_namespaces n set items = n.items + w.items, length = n.length + w.length
from unnest(%(id)s::int[], %(items)s::bigint[], %(length)s::bigint[]) w(id, items, length) where n.id = w.id

-- set_mark --
-- Store a number under a name.
insert into $schema.hybrid_marks (name, value) values (%(name)s, %(value)s)
on conflict (name) do update set value = excluded.value

-- add_fact --
-- Store a fact about this database, unless there is one under this name.
insert into $schema.hybrid_facts (name, value) values (%(name)s, %(value)s) on conflict (name) do nothing

-- get_mark --
-- Read the number that is stored under a name.
select value from $schema.hybrid_marks where name = %(name)s

-- expired_items --
-- List the items that have expired.
select i.id, i.ns, i.key, t.terms, coalesce(t.length, 0)
from $schema.hybrid_items i left join $schema.hybrid_words t on t.item = i.id where i.expires_at <= %(now)s

-- read_places --
-- Read ids, terms and lengths of items by namespace and key, to erase them.
select i.id, n.id, w.key, t.terms, coalesce(t.length, 0)
from unnest(%(paths)s::text[], %(keys)s::text[]) w(path, key)
left join $schema.hybrid_namespaces n on n.path = w.path
left join $schema.hybrid_items i on i.ns = n.id and i.key = w.key
left join $schema.hybrid_words t on t.item = i.id

-- delete_versions --
-- Delete the history of an item.
delete from $schema.hybrid_versions v using unnest(%(ns)s::int[], %(key)s::text[]) w(ns, key)
where v.ns = w.ns and v.key = w.key

-- save_last_ids --
-- Store the highest ids before rows are deleted, so that no id is used twice: another process may still hold it for the
-- deleted item.
insert into $schema.hybrid_marks (name, value)
select 'items', coalesce(max(id), 0) from $schema.hybrid_items where true
union all select 'namespaces', coalesce(max(id), 0) from $schema.hybrid_namespaces where true
on conflict (name) do update set value = greatest(hybrid_marks.value, excluded.value)

-- erase_sources --
-- Erase the sources of the commits that wrote in a range of namespaces. A commit that also wrote elsewhere keeps its
-- source, because the history there needs it.
update $schema.hybrid_commits set source = null where source is not null and revision in (
  select i.recorded_from from $schema.hybrid_items i join $schema.hybrid_namespaces n on n.id = i.ns
  where n.path >= %(low)s and n.path < %(high)s
  union select v.recorded_from from $schema.hybrid_versions v join $schema.hybrid_namespaces n on n.id = v.ns
  where n.path >= %(low)s and n.path < %(high)s)
and not exists (
  select 1 from $schema.hybrid_items i join $schema.hybrid_namespaces n on n.id = i.ns
  where i.recorded_from = revision and not (n.path >= %(low)s and n.path < %(high)s))
and not exists (
  select 1 from $schema.hybrid_versions v join $schema.hybrid_namespaces n on n.id = v.ns
  where v.recorded_from = revision and not (n.path >= %(low)s and n.path < %(high)s))

-- erase_orphan_sources --
-- Erase the sources of commits that have no row left.
update $schema.hybrid_commits set source = null where source is not null
and not exists (select 1 from $schema.hybrid_items i where i.recorded_from = revision)
and not exists (select 1 from $schema.hybrid_versions v where v.recorded_from = revision)

-- purge_items --
-- Delete all items of a range of namespaces.
delete from $schema.hybrid_items
where ns in (select id from $schema.hybrid_namespaces where path >= %(low)s and path < %(high)s)

-- purge_versions --
-- Delete all history of a range of namespaces.
delete from $schema.hybrid_versions
where ns in (select id from $schema.hybrid_namespaces where path >= %(low)s and path < %(high)s)

-- purge_words --
-- Delete the terms of all items of a range of namespaces.
delete from $schema.hybrid_words where item in (
  select i.id from $schema.hybrid_items i join $schema.hybrid_namespaces n on n.id = i.ns
  where n.path >= %(low)s and n.path < %(high)s)

-- purge_vectors --
-- Delete all vectors of a range of namespaces.
delete from $schema.hybrid_vectors
where ns in (select id from $schema.hybrid_namespaces where path >= %(low)s and path < %(high)s)

-- purge_namespaces --
-- Delete a range of namespaces themselves.
delete from $schema.hybrid_namespaces where path >= %(low)s and path < %(high)s

-- set_fact --
-- Set a fact about this database.
insert into $schema.hybrid_facts (name, value) values (%(name)s, %(value)s)
on conflict (name) do update set value = excluded.value

-- indexed_items --
-- Read a batch of the items whose words are indexed, by id.
select i.id, i.ns, i.value, t.terms from $schema.hybrid_words t join $schema.hybrid_items i on i.id = t.item
where t.item > %(after)s order by t.item limit %(limit)s

-- items_without_vectors --
-- Read a batch of the items whose words are indexed and that have no vector, by id.
select i.id, i.ns, i.value, t.terms from $schema.hybrid_words t join $schema.hybrid_items i on i.id = t.item
where t.item > %(after)s and t.terms <> ''
  and not exists (select 1 from $schema.hybrid_vectors v where v.ns = i.ns and v.item = i.id)
order by t.item limit %(limit)s

-- count_without_vectors --
-- Count the items whose words are indexed and that have no vector.
select count(*) from $schema.hybrid_words t
where t.terms <> '' and not exists (select 1 from $schema.hybrid_vectors v where v.ns = t.ns and v.item = t.item)

-- indexed_versions --
-- Read a batch of the old states that have terms.
select ns, key, version, value, terms from $schema.hybrid_versions
where (ns, key, version) > (%(ns)s, %(key)s, %(version)s) and terms is not null and value is not null
order by ns, key, version limit %(limit)s

-- put_version_terms --
-- Replace the terms of old states.
update $schema.hybrid_versions v set terms = w.terms
from unnest(%(ns)s::int[], %(key)s::text[], %(version)s::bigint[], %(terms)s::text[]) w(ns, key, version, terms)
where v.ns = w.ns and v.key = w.key and v.version = w.version
