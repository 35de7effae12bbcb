-- Statements of this database alone: transactions, and the table of migrations.

-- begin_snapshot --
-- Let all statements of this transaction see one state of the database.
set transaction isolation level repeatable read

-- begin_write --
-- Become the only writer. A process that waits for the lock gives up after $wait milliseconds. The server ends a writer
-- that is idle for $idle milliseconds, so a process that hangs in a transaction blocks the others no longer than that.
-- The planner settings make writes use indexes even with plans made while the tables were empty.
set transaction isolation level read committed;
select set_config('lock_timeout', '$wait', true), set_config('idle_in_transaction_session_timeout', '$idle', true),
  set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
  set_config('enable_mergejoin', 'off', true);
select pg_advisory_xact_lock($lock)

-- has_table --
-- Return whether a table exists: another process may have created it meanwhile. The catalogue is read instead of
-- to_regclass, which may answer from a cache that is older than the lock.
select exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = %(schema)s and c.relname = %(table)s)

-- tune_vector_index --
-- Make a search by the vector index look at enough candidates.
select set_config('hnsw.ef_search', '400', true), set_config('hnsw.iterative_scan', 'relaxed_order', true)

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
