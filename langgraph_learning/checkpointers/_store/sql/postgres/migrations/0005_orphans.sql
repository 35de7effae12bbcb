-- Vectors that a store without an embedder left behind when it erased their items; waits for an embedder, as 0002 does.
delete from $schema.hybrid_vectors v
where not exists (select 1 from $schema.hybrid_items i where i.id = v.item and i.ns = v.ns)
