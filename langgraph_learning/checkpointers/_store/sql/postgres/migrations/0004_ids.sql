-- Ids are counted by a mark: max(id) + 1 would give the id of an erased item out again.
insert into $schema.hybrid_marks (name, value)
select 'items', greatest((select coalesce(max(id), 0) from $schema.hybrid_items),
  (select coalesce(max(item), 0) from $schema.hybrid_versions))
union all select 'namespaces', greatest((select coalesce(max(id), 0) from $schema.hybrid_namespaces),
  (select coalesce(max(ns), 0) from $schema.hybrid_versions));
-- Which rows a commit wrote: its source goes with the last of them.
create index hybrid_items_recorded on $schema.hybrid_items (recorded_from);
create index hybrid_versions_recorded on $schema.hybrid_versions (recorded_from)
