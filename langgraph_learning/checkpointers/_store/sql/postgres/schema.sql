-- The schema of an installation, for the store and the checkpointer.

-- reset_search_path --
-- Look names up as a new session would: through a pooler, this session may have the search path of another client.
select set_config('search_path', reset_val, true) from pg_settings where name = 'search_path'

-- resolve_schema --
-- Return the name of the schema to use, and whether it is missing.
select coalesce(%(schema)s::text, current_schema()) as name,
  to_regnamespace(quote_ident(%(schema)s::text)) is null as missing

-- vector_schema --
-- Return the schema that the extension for vectors lives in.
select quote_ident(n.nspname) as name from pg_extension e join pg_namespace n on n.oid = e.extnamespace
where e.extname = 'vector'
