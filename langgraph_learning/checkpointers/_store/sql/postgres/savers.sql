-- Copying and deleting in the tables of LangGraph's PostgresSaver.

-- copy_thread --
-- Copy everything of one thread to another; what the target already has stays.
insert into checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
select %(target)s, checkpoint_ns, channel, version, type, blob
from checkpoint_blobs
where thread_id = %(source)s
on conflict do nothing;
insert into checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
select %(target)s, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata
from checkpoints
where thread_id = %(source)s
on conflict do nothing;
insert into checkpoint_writes
    (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
select %(target)s, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob
from checkpoint_writes
where thread_id = %(source)s
on conflict do nothing;

-- list_threads --
-- List the threads, the oldest first: the ids of checkpoints follow their time.
select thread_id
from checkpoints
where checkpoint_ns = ''
group by thread_id
order by min(checkpoint_id);

-- create_selection --
-- Create the list of checkpoints that the next statements delete.
create temp table to_delete (thread_id text, checkpoint_ns text, checkpoint_id text) on commit drop;

-- select_runs --
-- Select the checkpoints that some runs saved.
insert into to_delete
select thread_id, checkpoint_ns, checkpoint_id
from checkpoints
where metadata ->> 'run_id' in (select jsonb_array_elements_text(%(runs)s::jsonb));

-- delete_selection --
-- Delete the selected checkpoints, and what only they need.
delete from checkpoint_writes
where (thread_id, checkpoint_ns, checkpoint_id) in (select * from to_delete);
-- a blob goes with the last checkpoint that refers to it; one statement, so it sees one snapshot of both
with freed as (
    select distinct c.thread_id, c.checkpoint_ns, v.key as channel, v.value as version
    from checkpoints as c
    cross join lateral jsonb_each_text(c.checkpoint -> 'channel_versions') as v
    where (c.thread_id, c.checkpoint_ns, c.checkpoint_id) in (select * from to_delete)
), kept as (
    select distinct c.thread_id, c.checkpoint_ns, v.key as channel, v.value as version
    from checkpoints as c
    cross join lateral jsonb_each_text(c.checkpoint -> 'channel_versions') as v
    where (c.thread_id, c.checkpoint_ns) in (select thread_id, checkpoint_ns from to_delete)
      and (c.thread_id, c.checkpoint_ns, c.checkpoint_id) not in (select * from to_delete)
)
delete from checkpoint_blobs
where (thread_id, checkpoint_ns, channel, version) in (select * from freed except select * from kept);
delete from checkpoints
where (thread_id, checkpoint_ns, checkpoint_id) in (select * from to_delete);
-- a checkpoint whose parent was deleted becomes the first of its chain
update checkpoints set parent_checkpoint_id = null
where (thread_id, checkpoint_ns, parent_checkpoint_id) in (select * from to_delete);
drop table to_delete;

-- begin_setup --
-- Let one process at a time create the tables; the others wait, and give up after a while.
select set_config('lock_timeout', %(wait)s, true);
select pg_advisory_xact_lock(%(lock)s);

-- applied_checkpoint_migrations --
-- Return whether the table of LangGraph's migrations exists, and count the applied ones. The catalogue is read instead of
-- to_regclass, which may answer from a cache that is older than the lock.
select exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = %(schema)s and c.relname = %(table)s) as present;
select coalesce(max(v) + 1, 0) as number from checkpoint_migrations;
