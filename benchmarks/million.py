"""Recall where one Postgres holds a million records: `python -m benchmarks.million [--users 20000]`.

Each user has 25 memories and 25 messages of twelve made-up words. They are written by SQL, as the store would have
written them, because a million turns take hours. Median / p95 in ms of a recall by four words, one after the other, and
recalls a second with 16 threads.
"""

import argparse
import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

from benchmarks.databases import postgres
from benchmarks.recall import WORDS
from langgraph_learning import LearningMachine, connect

EACH = 25
STEPS = """
drop index hybrid_words_keys;
insert into hybrid_commits (revision, at) values (1, now());
insert into hybrid_namespaces (id, path, items, length)
select n, concat_ws(chr(31), '', 'learning', 'user', 'u' || (n - 1) / 2,
  case n % 2 when 1 then 'user_memory' else 'conversations' end, ''), {each}, {each} * 12
from generate_series(1, 2 * {users}) n;
insert into hybrid_items (id, ns, key, value, version, recorded_from, created_at, updated_at)
select i, ns, key, jsonb_build_object('store', store, 'scope', jsonb_build_object('user_id', 'u' || (ns - 1) / 2),
  'content', jsonb_build_object('content', text, 'speaker', 'user', 'text', text, 'said_at', '2026-01-01T00:00:00Z'),
  'text', text, 'status', 'active', 'version', 1, 'source', jsonb_build_object('actor', 'user', 'thread_id', 't',
  'message_ids', jsonb_build_array('m' || i)), 'created_at', '2026-01-01T00:00:00Z',
  'updated_at', '2026-01-01T00:00:00Z') || case ns % 2 when 1 then '{{}}'::jsonb else
  jsonb_build_object('session', 't', 'place', place) end,
  1, 1, now(), now()
from (select i, (i - 1) / {each} + 1 as ns, (i - 1) % {each} as place,
    case ((i - 1) / {each} + 1) % 2 when 1 then 'user_memory' else 'conversations' end as store,
    case ((i - 1) / {each} + 1) % 2 when 1 then 'r' || i else 't-' || (i - 1) % {each} end as key
  from generate_series(1::bigint, 2 * {each} * {users}) i) r
cross join lateral (
  select array_agg('word' || floor(random() * 3000)::int) as words from generate_series(1, 12 + (r.i * 0)::int)) w
cross join lateral (select array_to_string(words, ' ') as text) t;
insert into hybrid_words (item, salt, ns, length, terms, repeats)
select i.id, n.salt, i.ns, 12,
  (select string_agg(term, ' ' order by term) from string_to_table(value ->> 'text', ' ') term),
  (select jsonb_object_agg(term, times) from (select term, count(*) as times
    from string_to_table(value ->> 'text', ' ') term group by term having count(*) > 1) counted)
from hybrid_items i join hybrid_namespaces n on n.id = i.ns order by i.id;
create index hybrid_words_keys on hybrid_words using gin (hybrid_word_keys(salt, terms)) with (fastupdate = off);
vacuum analyze
"""


def fill(url: str, users: int) -> None:
    """Write the records."""
    with psycopg.connect(url, autocommit=True) as connection:
        for step in STEPS.format(each=EACH, users=users).split(";\n"):
            start = time.perf_counter()
            connection.execute(step.encode())
            print(f"{time.perf_counter() - start:6.1f} s  {step.strip().splitlines()[0][:70]}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--users", type=int, default=20_000)
    options.add_argument("--questions", type=int, default=500)
    given = options.parse_args()
    chance = random.Random(1)
    asked = [
        (f"u{chance.randrange(given.users)}", " ".join(chance.choices(WORDS, k=4))) for _ in range(given.questions)
    ]
    with postgres(None) as url:
        with connect(url):
            pass  # makes the tables
        fill(url, given.users)
        with connect(url) as db:
            for name, kinds in (
                ("memories", {"user_memory": True}),
                ("memories and messages", {"user_memory": True, "conversations": True}),
            ):
                machine = LearningMachine(store=db.store, **kinds)  # type: ignore[arg-type]

                def ask(question: tuple[str, str], machine: LearningMachine = machine) -> float:
                    start = time.perf_counter()
                    assert machine.scoped(user_id=question[0]).recall(question[1]).records
                    return 1_000 * (time.perf_counter() - start)

                times = sorted(map(ask, asked))[:]
                with ThreadPoolExecutor(16) as threads:
                    start = time.perf_counter()
                    list(threads.map(ask, asked))
                    rate = len(asked) / (time.perf_counter() - start)
                p95 = statistics.quantiles(times, n=20)[-1]
                print(
                    f"{2 * EACH * given.users:,} records, {name}: {statistics.median(times):.1f} / {p95:.1f} ms,"
                    f" {rate:.0f} recalls a second with 16 threads",
                    flush=True,
                )


if __name__ == "__main__":
    main()
