-- What only this database needs, and what begins its transactions.

-- begin_snapshot --
-- Let all statements of this transaction see one state of the database.
set transaction isolation level repeatable read

-- begin_write --
-- Become the only writer. Whoever waits for the lock gives up after $wait milliseconds; a writer that does nothing for
-- $idle is ended by the server, so a process that was stopped in a transaction holds up the others no longer than that.
-- Writes go by keys: plans made while the tables were empty must use the indexes too.
set transaction isolation level read committed;
select set_config('lock_timeout', '$wait', true), set_config('idle_in_transaction_session_timeout', '$idle', true),
  set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
  set_config('enable_mergejoin', 'off', true);
select pg_advisory_xact_lock($lock)

-- has_table --
-- Tell whether a table exists: another process may have made it since this one looked. The catalogue is asked, and not
-- to_regclass, which may answer from a cache that is older than the lock.
select exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = %(schema)s and c.relname = %(table)s)

-- tune_vector_index --
-- Let a search by vector index look at enough candidates.
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
