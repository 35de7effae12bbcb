-- What a database holds, asked of the tables as they are: nothing here makes or changes one.

-- has_tables --
-- Tell whether the tables of this package are there.
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
-- Return how long the vectors are.
select value from hybrid_marks where name = 'dims'

-- size_in_bytes --
-- Return how much room the tables take.
select page_count * page_size from pragma_page_count(), pragma_page_size()

-- server_version --
-- Name the database and its version.
select 'SQLite ' || sqlite_version()

-- vector_version --
-- Return the installed and the available version of the extension for vectors.
select null, null
