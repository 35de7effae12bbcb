-- What a database holds, asked of the tables as they are: nothing here makes or changes one.

-- made --
select 1 from sqlite_master where type = 'table' and name = 'hybrid_migrations'

-- migrated --
select number from hybrid_migrations

-- kept --
select n.path, count(*) from hybrid_items i join hybrid_namespaces n on n.id = i.ns group by n.path

-- turns --
select n.path, json_extract(i.value, '$.status'), count(*) from hybrid_items i join hybrid_namespaces n on n.id = i.ns
where n.path like '%pending%' group by 1, 2

-- dims --
select value from hybrid_marks where name = 'dims'

-- size --
select page_count * page_size from pragma_page_count(), pragma_page_size()

-- server --
select 'SQLite ' || sqlite_version()

-- extension --
select null, null
