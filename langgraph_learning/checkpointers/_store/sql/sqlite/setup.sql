-- What only this database needs, and what begins its transactions.

-- connect --
pragma busy_timeout = 30000;
pragma secure_delete = on;
pragma foreign_keys = off

-- journal --
pragma journal_mode = wal

-- begin --
begin

-- lock --
begin immediate

-- commit --
commit

-- rollback --
rollback

-- hurry --
pragma busy_timeout = 2000

-- take_time --
pragma busy_timeout = 30000

-- scrub --
pragma wal_checkpoint(truncate)

-- setup --
create table if not exists hybrid_migrations (number integer primary key, name text not null)

-- applied --
select number from hybrid_migrations

-- add_migration --
insert into hybrid_migrations (number, name) values (:number, :name)
