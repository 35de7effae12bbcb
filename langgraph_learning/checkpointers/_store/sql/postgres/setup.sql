-- What only this database needs, and what begins its transactions.

-- snapshot --
set transaction isolation level repeatable read

-- lock --
-- Writes go by keys: plans made while the tables were empty must use the indexes too.
select pg_advisory_xact_lock(%(lock)s), set_config('enable_seqscan', 'off', true),
  set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)

-- vectors --
-- Another process may have opened this database with an embedder since.
select to_regclass('$schema.hybrid_vectors') is not null

-- tune --
select set_config('hnsw.ef_search', '400', true), set_config('hnsw.iterative_scan', 'relaxed_order', true)

-- here --
select coalesce(%(schema)s::text, current_schema()), to_regnamespace(quote_ident(%(schema)s::text)) is null

-- add_schema --
create schema if not exists $schema

-- extension --
select quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace
where e.extname = 'vector'

-- add_extension --
create extension if not exists vector schema public

-- setup --
create table if not exists $schema.hybrid_migrations (number int primary key, name text not null)

-- applied --
select number from $schema.hybrid_migrations

-- add_migration --
insert into $schema.hybrid_migrations (number, name) values (%(number)s, %(name)s)
