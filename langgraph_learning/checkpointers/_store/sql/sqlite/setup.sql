-- Statements of this database alone: transactions, and the table of migrations.

-- connect --
-- Prepare a new connection: deleted text is overwritten in the file.
pragma secure_delete = on;
pragma foreign_keys = off

-- begin --
-- Begin a transaction that reads.
begin

-- begin_write --
-- Become the only writer, as the first statement of a transaction.
begin immediate

-- commit --
-- Commit the transaction.
commit

-- rollback --
-- Roll the transaction back.
rollback

-- set_busy_timeout --
-- Set how long to wait for other writers.
pragma busy_timeout = $milliseconds

-- data_version --
-- Return a number that changes when another connection commits.
pragma data_version

-- empty_wal --
-- Copy the write-ahead log into the file and empty it: deleted text is overwritten in the file, but not in the log.
pragma wal_checkpoint(truncate)

-- has_table --
-- Return whether a table exists.
select exists (select 1 from sqlite_master where type = 'table' and name = :table)

-- create_migrations --
-- Create the table that records which migrations were applied.
create table if not exists hybrid_migrations (number integer primary key, name text not null)

-- applied_migrations --
-- List the migrations that were applied.
select number from hybrid_migrations

-- add_migration --
-- Record that a migration was applied.
insert into hybrid_migrations (number, name) values (:number, :name)
