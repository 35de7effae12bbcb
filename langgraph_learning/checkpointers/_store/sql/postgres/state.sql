-- What a database holds, asked of the tables as they are: nothing here makes or changes one.

-- made --
select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relname = 'hybrid_migrations' and n.nspname = current_schema()

-- migrated --
select number from hybrid_migrations

-- kept --
select n.path, count(*) from hybrid_items i join hybrid_namespaces n on n.id = i.ns group by n.path

-- turns --
select n.path, i.value ->> 'status', count(*) from hybrid_items i join hybrid_namespaces n on n.id = i.ns
where n.path like '%pending%' group by 1, 2

-- dims --
select value from hybrid_marks where name = 'dims'

-- size --
select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = current_schema() and c.relkind in ('r', 'm')

-- server --
select 'PostgreSQL ' || current_setting('server_version')

-- extension --
select installed_version, default_version from pg_available_extensions where name = 'vector'
