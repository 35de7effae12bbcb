-- Copying and deleting in the tables of LangGraph's SqliteSaver.

-- copy_thread --
insert or ignore into checkpoints
    (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
select :target, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata
from checkpoints
where thread_id = :source;
insert or ignore into writes
    (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value)
select :target, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value
from writes
where thread_id = :source;

-- doom --
create temp table doomed (thread_id text, checkpoint_ns text, checkpoint_id text);

-- doom_runs --
insert into doomed
select thread_id, checkpoint_ns, checkpoint_id
from checkpoints
where json_extract(cast(metadata as text), '$.run_id') in (select value from json_each(:runs));

-- delete_doomed --
delete from writes
where (thread_id, checkpoint_ns, checkpoint_id) in (select * from doomed);
delete from checkpoints
where (thread_id, checkpoint_ns, checkpoint_id) in (select * from doomed);
-- what is left of a broken chain begins here
update checkpoints set parent_checkpoint_id = null
where (thread_id, checkpoint_ns, parent_checkpoint_id) in (select * from doomed);
drop table doomed;
