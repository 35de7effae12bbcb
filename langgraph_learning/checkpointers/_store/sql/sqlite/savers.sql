-- Copying and deleting in the tables of LangGraph's SqliteSaver.

-- copy_thread --
-- Copy everything of one thread to another; what the target already has stays.
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

-- list_threads --
-- List the threads, the oldest first: the ids of checkpoints follow their time.
select thread_id
from checkpoints
where checkpoint_ns = ''
group by thread_id
order by min(checkpoint_id);

-- create_selection --
-- Create the list of checkpoints that the next statements delete.
create temp table to_delete (thread_id text, checkpoint_ns text, checkpoint_id text);

-- select_runs --
-- Select the checkpoints that some runs saved.
insert into to_delete
select thread_id, checkpoint_ns, checkpoint_id
from checkpoints
where json_extract(cast(metadata as text), '$.run_id') in (select value from json_each(:runs));

-- delete_selection --
-- Delete the selected checkpoints, and what only they need.
delete from writes
where (thread_id, checkpoint_ns, checkpoint_id) in (select * from to_delete);
delete from checkpoints
where (thread_id, checkpoint_ns, checkpoint_id) in (select * from to_delete);
-- a checkpoint whose parent was deleted becomes the first of its chain
update checkpoints set parent_checkpoint_id = null
where (thread_id, checkpoint_ns, parent_checkpoint_id) in (select * from to_delete);
drop table to_delete;
