-- What only this database needs, and what begins its transactions.

-- begin_snapshot --
-- Let all statements of this transaction see one state of the database.
set transaction isolation level repeatable read

-- lock --
-- Become the only writer, as the first statement of a transaction.
-- Writes go by keys: plans made while the tables were empty must use the indexes too.
select pg_advisory_xact_lock(%(lock)s), set_config('enable_seqscan', 'off', true),
  set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)

-- has_vectors --
-- Tell whether the table of vectors exists: another process may have opened this database with an embedder since.
select to_regclass('$schema.hybrid_vectors') is not null

-- tune_vector_index --
-- Let a search by vector index look at enough candidates.
select set_config('hnsw.ef_search', '400', true), set_config('hnsw.iterative_scan', 'relaxed_order', true)

-- resolve_schema --
-- Return the name of the schema to use, and whether it is missing.
select coalesce(%(schema)s::text, current_schema()), to_regnamespace(quote_ident(%(schema)s::text)) is null

-- create_schema --
-- Create the schema of this installation.
create schema if not exists $schema

-- vector_schema --
-- Return the schema that the extension for vectors lives in.
select quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace
where e.extname = 'vector'

-- create_extension --
-- Install the extension for vectors where every schema can see it.
create extension if not exists vector schema public

-- create_migrations --
-- Create the table that records which migrations were applied.
create table if not exists $schema.hybrid_migrations (number int primary key, name text not null)

-- applied_migrations --
-- List the migrations that were applied.
select number from $schema.hybrid_migrations

-- add_migration --
-- Record that a migration was applied.
insert into $schema.hybrid_migrations (number, name) values (%(number)s, %(name)s)
