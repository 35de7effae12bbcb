-- Pruning as in LangGraph's PostgresSaver; its SqliteSaver has none.

-- delete_threads --
-- Delete everything of some threads.
delete from checkpoints where thread_id in (select value from json_each(:threads));
delete from writes where thread_id in (select value from json_each(:threads));

-- threads_with_deltas --
-- List the threads that need their older checkpoints, because they use a DeltaChannel.
select distinct thread_id
from checkpoints
where thread_id in (select value from json_each(:threads))
  and json_type(cast(metadata as text), '$.counters_since_delta_snapshot') is not null
order by thread_id;

-- select_superseded --
-- Select all checkpoints of some threads but the latest of each namespace.
insert into to_delete
select thread_id, checkpoint_ns, checkpoint_id
from checkpoints as c
where thread_id in (select value from json_each(:threads))
  and checkpoint_id < (
      select max(checkpoint_id) from checkpoints as head
      where head.thread_id = c.thread_id and head.checkpoint_ns = c.checkpoint_ns
  );
-- the namespace of a subgraph's run (a task id after a colon) is deleted with the root checkpoint it started from
with heads as (
    select thread_id, checkpoint_ns, max(checkpoint_id) as checkpoint_id
    from checkpoints
    where thread_id in (select value from json_each(:threads)) and instr(checkpoint_ns, ':') > 0
    group by thread_id, checkpoint_ns
)
insert into to_delete
select c.thread_id, c.checkpoint_ns, c.checkpoint_id
from heads
join checkpoints as c using (thread_id, checkpoint_ns, checkpoint_id)
where (c.thread_id, '', json_extract(cast(c.metadata as text), '$.parents.""')) in (select * from to_delete);
