-- The state of a database; nothing here creates or changes a table.

-- has_tables --
-- Return a row if the tables of this package exist.
select 1 from sqlite_master where type = 'table' and name = 'hybrid_migrations'

-- applied_migrations --
-- List the migrations that were applied.
select number from hybrid_migrations

-- count_by_path --
-- Count the items of each namespace.
select n.path, count(*) from hybrid_items i join hybrid_namespaces n on n.id = i.ns group by n.path

-- count_turns --
-- Count the turns that wait to be learned from, and those that failed.
select n.path, json_extract(i.value, '$.status'), count(*) from hybrid_items i join hybrid_namespaces n on n.id = i.ns
where n.path like '%pending%' group by 1, 2

-- get_dims --
-- Return the length of the vectors.
select value from hybrid_marks where name = 'dims'

-- size_in_bytes --
-- Return the size of the tables in bytes.
select page_count * page_size from pragma_page_count(), pragma_page_size()

-- server_version --
-- Return the name and version of the database.
select 'SQLite ' || sqlite_version()

-- vector_version --
-- Return the installed and the available version of the extension for vectors.
select null, null
