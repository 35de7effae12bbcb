-- columns --
n.path, i.key, i.value, i.created_at, i.updated_at, i.version, i.ttl, i.id

-- alive --
(i.expires_at is null or i.expires_at > :now)

-- items --
hybrid_items

-- items_at --
(select id, ns, key, value, created_at, updated_at, version, null as ttl, recorded_from, expires_at, terms
 from hybrid_items where recorded_from <= :revision
 and ns in (select id from hybrid_namespaces where path >= :low and path < :high)
 union all
 select item, ns, key, value, created_at, updated_at, version, null, recorded_from, expires_at, terms
 from hybrid_versions where recorded_from <= :revision and recorded_to > :revision and value is not null
 and ns in (select id from hybrid_namespaces where path >= :low and path < :high))

-- get --
select w.key as position, $columns
from json_each(:paths) w
join hybrid_namespaces n on n.path = w.value
join hybrid_items i on i.ns = n.id and i.key = json_extract(:keys, '$$[' || w.key || ']')
where $alive

-- get_at --
select w.key as position, $columns
from json_each(:paths) w
join hybrid_namespaces n on n.path = w.value
join hybrid_items i on i.ns = n.id and i.key = json_extract(:keys, '$$[' || w.key || ']')
where i.recorded_from <= :revision and $alive
union all
select w.key, n.path, i.key, i.value, i.created_at, i.updated_at, i.version, null, i.item
from json_each(:paths) w
join hybrid_namespaces n on n.path = w.value
join hybrid_versions i on i.ns = n.id and i.key = json_extract(:keys, '$$[' || w.key || ']')
where i.recorded_from <= :revision and i.recorded_to > :revision and i.value is not null and $alive

-- browse --
select $columns
from hybrid_namespaces n join $source i on i.ns = n.id
where n.path >= :low and n.path < :high and $alive and $where
order by i.recorded_from desc, i.id desc limit :limit offset :offset

-- by_id --
select $columns
from json_each(:ids) w join hybrid_items i on i.id = w.value join hybrid_namespaces n on n.id = i.ns
order by w.key

-- scan --
select $columns, i.terms, i.recorded_from, $where as chosen
from hybrid_namespaces n join $source i on i.ns = n.id
where n.path >= :low and n.path < :high and $alive

-- paths --
select n.path from hybrid_namespaces n
where n.path >= :low and n.path < :high and exists (select 1 from $source i where i.ns = n.id and $alive)
order by n.path

-- refresh --
update hybrid_items set expires_at = :now + cast(ttl * 60000000 as integer)
where id in (select value from json_each(:ids)) and ttl is not null and expires_at > :now

-- revision --
select coalesce(max(revision), 0) from hybrid_commits

-- commit_time --
select max(at) from hybrid_commits where revision <= :revision

-- history --
select h.value, h.version, h.recorded_from, h.updated_at, c.source
from (select ns, key, value, version, recorded_from, updated_at from hybrid_versions
      union all select ns, key, value, version, recorded_from, updated_at from hybrid_items) h
join hybrid_namespaces n on n.id = h.ns
left join hybrid_commits c on c.revision = h.recorded_from
where n.path = :path and h.key = :key
order by h.version

-- paths_ever --
-- Also those of which only history is left.
select n.path from hybrid_namespaces n
where n.path >= :low and n.path < :high and substr(n.path, -length(:suffix)) = :suffix
order by n.path

-- ever --
select distinct n.path, i.key
from hybrid_namespaces n
join (select ns, key, value from hybrid_items
      union all select ns, key, value from hybrid_versions where value is not null) i on i.ns = n.id
where n.path >= :low and n.path < :high and $where
order by n.path, i.key

-- database --
-- With its place: a copy of the file has its id, too.
select value || ' ' || (select file from pragma_database_list where name = 'main') from hybrid_facts
where name = 'database'

-- fact --
select value from hybrid_facts where name = :name
