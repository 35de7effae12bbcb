-- columns --
-- The columns of an item that every read returns, in the order that `stored_item` reads them.
n.path, i.key, i.value, i.created_at, i.updated_at, i.version, i.ttl, i.id

-- not_expired --
-- True for an item that has not expired by now.
(i.expires_at is null or i.expires_at > :now)

-- items --
-- The present items.
hybrid_items

-- items_at --
-- The items of a revision: those that have not changed since, and the old versions that were valid then.
(select id, ns, key, value, created_at, updated_at, version, null as ttl, recorded_from, expires_at, terms
 from hybrid_items where recorded_from <= :revision
 and ns in (select id from hybrid_namespaces where path >= :low and path < :high)
 union all
 select item, ns, key, value, created_at, updated_at, version, null, recorded_from, expires_at, terms
 from hybrid_versions where recorded_from <= :revision and recorded_to > :revision and value is not null
 and ns in (select id from hybrid_namespaces where path >= :low and path < :high))

-- get_items --
-- Read items by namespace and key; each row carries its position in the request.
select w.key as position, $columns
from json_each(:paths) w
join hybrid_namespaces n on n.path = w.value
join hybrid_items i on i.ns = n.id and i.key = json_extract(:keys, '$$[' || w.key || ']')
where $not_expired

-- get_items_at --
-- Read items by namespace and key as they were at a revision.
select w.key as position, $columns
from json_each(:paths) w
join hybrid_namespaces n on n.path = w.value
join hybrid_items i on i.ns = n.id and i.key = json_extract(:keys, '$$[' || w.key || ']')
where i.recorded_from <= :revision and $not_expired
union all
select w.key, n.path, i.key, i.value, i.created_at, i.updated_at, i.version, null, i.item
from json_each(:paths) w
join hybrid_namespaces n on n.path = w.value
join hybrid_versions i on i.ns = n.id and i.key = json_extract(:keys, '$$[' || w.key || ']')
where i.recorded_from <= :revision and i.recorded_to > :revision and i.value is not null and $not_expired

-- browse --
-- Read one page of a range of namespaces, the most recently written first, without the items named in `ids`. The
-- subquery asks the index of each namespace for as many as the page may need, and no more rows are read.
select $columns
from hybrid_namespaces n cross join hybrid_items i on i.id in (
  select i.id from hybrid_items i
  where i.ns = n.id and $not_expired and $where and i.id not in (select value from json_each(:ids))
  order by i.recorded_from desc, i.id desc limit :limit + :offset)
where n.path >= :low and n.path < :high
order by i.recorded_from desc, i.id desc limit :limit offset :offset

-- browse_as_of --
-- Read one page of a range of namespaces as it stood at a revision, the most recently written first.
select $columns
from hybrid_namespaces n join $source i on i.ns = n.id
where n.path >= :low and n.path < :high and $not_expired and $where
order by i.recorded_from desc, i.id desc limit :limit offset :offset

-- get_by_id --
-- Read items by id, in the order of the ids.
select $columns
from json_each(:ids) w join hybrid_items i on i.id = w.value join hybrid_namespaces n on n.id = i.ns
order by w.key

-- scan_as_of --
-- Read every item of a range as it was at a revision, with its stored terms, because the past has no index of words.
select $columns, i.terms, i.recorded_from, $where as matches
from hybrid_namespaces n join $source i on i.ns = n.id
where n.path >= :low and n.path < :high and $not_expired

-- list_paths --
-- List the namespaces of a range that hold at least one item that has not expired.
select n.path from hybrid_namespaces n
where n.path >= :low and n.path < :high and exists (select 1 from $source i where i.ns = n.id and $not_expired)
order by n.path

-- refresh_ttl --
-- Restart the time to live of items that were read.
update hybrid_items set expires_at = :now + cast(ttl * 60000000 as integer)
where id in (select value from json_each(:ids)) and ttl is not null and expires_at > :now

-- last_revision --
-- Return the number of the last commit; 0 before the first one.
select coalesce(max(revision), 0) from hybrid_commits

-- commit_time --
-- Return when a revision was committed; null when it is older than the first commit.
select max(at) from hybrid_commits where revision <= :revision

-- item_history --
-- Read every state of an item, the oldest first, with the source of the commit that made it.
select h.value, h.version, h.recorded_from, h.updated_at, c.source
from (select ns, key, value, version, recorded_from, updated_at from hybrid_versions
      union all select ns, key, value, version, recorded_from, updated_at from hybrid_items) h
join hybrid_namespaces n on n.id = h.ns
left join hybrid_commits c on c.revision = h.recorded_from
where n.path = :path and h.key = :key
order by h.version

-- all_paths --
-- List the namespaces of a range that end in a suffix, including those with nothing but history.
select n.path from hybrid_namespaces n
where n.path >= :low and n.path < :high and substr(n.path, -length(:suffix)) = :suffix
order by n.path

-- all_places --
-- List namespace and key of every item of which any state, present or past, meets a condition.
select distinct n.path, i.key
from hybrid_namespaces n
join (select ns, key, value from hybrid_items
      union all select ns, key, value from hybrid_versions where value is not null) i on i.ns = n.id
where n.path >= :low and n.path < :high and $where
order by n.path, i.key

-- database_id --
-- Return the id of this database with its location, because a copy of the database has the same id.
select value || ' ' || (select file from pragma_database_list where name = 'main') from hybrid_facts
where name = 'database'

-- get_fact --
-- Read one fact about this database.
select value from hybrid_facts where name = :name
