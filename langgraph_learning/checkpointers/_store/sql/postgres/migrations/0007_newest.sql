-- The newest items of a namespace, without reading all of it.
create index hybrid_items_newest on $schema.hybrid_items (ns, recorded_from, id)
