-- What only this database needs, and what begins its transactions.

-- connect --
-- Prepare a new connection: wait for other writers, overwrite what is deleted.
pragma busy_timeout = 30000;
pragma secure_delete = on;
pragma foreign_keys = off

-- begin --
-- Begin a transaction that reads.
begin

-- lock --
-- Become the only writer, as the first statement of a transaction.
begin immediate

-- commit --
-- Commit the transaction.
commit

-- rollback --
-- Roll the transaction back.
rollback

-- shorten_busy_timeout --
-- Wait only briefly, because writers wait meanwhile.
pragma busy_timeout = 2000

-- restore_busy_timeout --
-- Wait for other writers as long as usual.
pragma busy_timeout = 30000

-- empty_wal --
-- Copy the write-ahead log into the file and cut it to nothing: deleted text is overwritten in the file, but not in
-- the log.
pragma wal_checkpoint(truncate)

-- create_migrations --
-- Create the table that records which migrations were applied.
create table if not exists hybrid_migrations (number integer primary key, name text not null)

-- applied_migrations --
-- List the migrations that were applied.
select number from hybrid_migrations

-- add_migration --
-- Record that a migration was applied.
insert into hybrid_migrations (number, name) values (:number, :name)
