-- The covering key held everything a second time. An index that may hold a value twice keeps it once, with all its rows.
create index hybrid_postings_term on $schema.hybrid_postings (ns, term);
alter table $schema.hybrid_postings drop constraint if exists hybrid_postings_pkey;
-- Where a publication replicates this schema, rows without a key are told by all they hold.
alter table $schema.hybrid_postings replica identity full
