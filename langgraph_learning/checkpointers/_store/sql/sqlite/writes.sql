-- read_current --
-- Read the rows that a transaction will change: ids, versions, expiry, and the highest numbers used so far.
select w.key as position, n.id, i.id, i.version, i.created_at, i.expires_at, i.terms,
  (select max(v.version) from hybrid_versions v
   where v.ns = n.id and v.key = json_extract(:keys, '$$[' || w.key || ']')),
  (select coalesce(max(revision), 0) from hybrid_commits), max((select coalesce(max(id), 0) from hybrid_namespaces),
    (select coalesce(max(value), 0) from hybrid_marks where name = 'namespaces')),
  max((select coalesce(max(id), 0) from hybrid_items),
    (select coalesce(max(value), 0) from hybrid_marks where name = 'items')),
  coalesce((select value from hybrid_marks where name = 'floor'), 0)
from json_each(:paths) w
left join hybrid_namespaces n on n.path = w.value
left join hybrid_items i on i.ns = n.id and i.key = json_extract(:keys, '$$[' || w.key || ']')
order by w.key

-- add_commit --
-- Record a commit with its time and its source.
insert into hybrid_commits (revision, at, source) values (:revision, :at, :source)

-- add_namespaces --
-- Add namespaces that hold their first item.
insert into hybrid_namespaces (id, path) values (:id, :path)

-- supersede --
-- Copy items to their history before they change.
insert into hybrid_versions (ns, key, version, item, value, recorded_from, recorded_to,
  created_at, updated_at, expires_at, terms)
select ns, key, version, id, value, recorded_from, :revision, created_at, updated_at, expires_at, terms
from hybrid_items where id = :id

-- add_tombstones --
-- Record deletions in the history.
insert into hybrid_versions (ns, key, version, item, value, recorded_from, recorded_to, created_at, updated_at)
values (:ns, :key, :version, :item, null, :revision, :revision, :at, :at)

-- delete_items --
-- Delete items; their history stays.
delete from hybrid_items where id = :id

-- put_items --
-- Insert items, or replace those that have the same id.
insert into hybrid_items (id, ns, key, value, version, recorded_from, created_at, updated_at, expires_at, ttl, length)
values (:id, :ns, :key, :value, :version, :recorded_from, :created_at, :updated_at, :expires_at, :ttl, 0)
on conflict (id) do update set value = excluded.value, version = excluded.version,
  recorded_from = excluded.recorded_from, created_at = excluded.created_at, updated_at = excluded.updated_at,
  expires_at = excluded.expires_at, ttl = excluded.ttl

-- delete_words --
-- Delete the terms of items, also from the index of words.
delete from hybrid_postings where ns = :ns and item = :item and term in (select key from json_each(:counts));
update hybrid_items set terms = null, length = 0 where id = :item

-- put_words --
-- Add the terms of items, also to the index of words.
insert into hybrid_postings (ns, term, item, tf, length) select :ns, key, :item, value, :length from json_each(:counts);
update hybrid_items set terms = :terms, length = :length where id = :item

-- delete_vectors --
-- Delete the vectors of items.
delete from hybrid_vectors where ns = :ns and item = :item

-- put_vectors --
-- Add vectors, one for each indexed field of an item.
insert into hybrid_vectors (ns, item, field, embedding) values (:ns, :item, :field, :embedding)

-- add_to_counts --
-- Add to the counts of items and of terms that a namespace keeps.
update hybrid_namespaces set items = items + :items, length = length + :length where id = :id

-- set_mark --
-- Store a number under a name.
insert into hybrid_marks (name, value) values (:name, :value) on conflict (name) do update set value = excluded.value

-- add_fact --
-- Store a fact about this database, unless there is one under this name.
insert into hybrid_facts (name, value) values (:name, :value) on conflict (name) do nothing

-- get_mark --
-- Read the number that is stored under a name.
select value from hybrid_marks where name = :name

-- expired_items --
-- List the items that have expired.
select id, ns, key, terms, length from hybrid_items where expires_at <= :now

-- read_places --
-- Read ids, terms and lengths of items by namespace and key, to erase them.
select i.id, n.id, k.value, i.terms, i.length
from json_each(:paths) w join json_each(:keys) k on k.key = w.key
left join hybrid_namespaces n on n.path = w.value
left join hybrid_items i on i.ns = n.id and i.key = k.value

-- delete_versions --
-- Delete the history of an item.
delete from hybrid_versions where ns = :ns and key = :key

-- save_last_ids --
-- Store the highest ids before rows are deleted, so that no id is used twice: another process may still hold it for the
-- deleted item.
insert into hybrid_marks (name, value)
select 'items', coalesce(max(id), 0) from hybrid_items where true
union all select 'namespaces', coalesce(max(id), 0) from hybrid_namespaces where true
on conflict (name) do update set value = max(value, excluded.value)

-- erase_sources --
-- Erase the sources of the commits that wrote in a range of namespaces. A commit that also wrote elsewhere keeps its
-- source, because the history there needs it.
update hybrid_commits set source = null where source is not null and revision in (
  select i.recorded_from from hybrid_items i join hybrid_namespaces n on n.id = i.ns
  where n.path >= :low and n.path < :high
  union select v.recorded_from from hybrid_versions v join hybrid_namespaces n on n.id = v.ns
  where n.path >= :low and n.path < :high)
and not exists (
  select 1 from hybrid_items i join hybrid_namespaces n on n.id = i.ns
  where i.recorded_from = revision and not (n.path >= :low and n.path < :high))
and not exists (
  select 1 from hybrid_versions v join hybrid_namespaces n on n.id = v.ns
  where v.recorded_from = revision and not (n.path >= :low and n.path < :high))

-- erase_orphan_sources --
-- Erase the sources of commits that have no row left.
update hybrid_commits set source = null where source is not null
and not exists (select 1 from hybrid_items i where i.recorded_from = revision)
and not exists (select 1 from hybrid_versions v where v.recorded_from = revision)

-- purge_items --
-- Delete all items of a range of namespaces.
delete from hybrid_items where ns in (select id from hybrid_namespaces where path >= :low and path < :high)

-- purge_versions --
-- Delete all history of a range of namespaces.
delete from hybrid_versions where ns in (select id from hybrid_namespaces where path >= :low and path < :high)

-- purge_words --
-- Delete a range of namespaces from the index of words.
delete from hybrid_postings where ns in (select id from hybrid_namespaces where path >= :low and path < :high)

-- purge_vectors --
-- Delete all vectors of a range of namespaces.
delete from hybrid_vectors where ns in (select id from hybrid_namespaces where path >= :low and path < :high)

-- purge_namespaces --
-- Delete a range of namespaces themselves.
delete from hybrid_namespaces where path >= :low and path < :high

-- set_fact --
-- Set a fact about this database.
insert into hybrid_facts (name, value) values (:name, :value)
on conflict (name) do update set value = excluded.value

-- indexed_items --
-- Read a batch of the items whose words are indexed, by id.
select id, ns, value, terms from hybrid_items where id > :after and terms is not null
order by id limit :limit

-- items_without_vectors --
-- Read a batch of the items whose words are indexed and that have no vector, by id.
select i.id, i.ns, i.value, i.terms from hybrid_items i
where i.id > :after and i.terms <> ''
  and not exists (select 1 from hybrid_vectors v where v.ns = i.ns and v.item = i.id)
order by i.id limit :limit

-- count_without_vectors --
-- Count the items whose words are indexed and that have no vector.
select count(*) from hybrid_items i
where i.terms <> '' and not exists (select 1 from hybrid_vectors v where v.ns = i.ns and v.item = i.id)

-- indexed_versions --
-- Read a batch of the old states that have terms.
select ns, key, version, value, terms from hybrid_versions
where (ns, key, version) > (:ns, :key, :version) and terms is not null and value is not null
order by ns, key, version limit :limit

-- put_version_terms --
-- Replace the terms of old states.
update hybrid_versions set terms = :terms where ns = :ns and key = :key and version = :version
