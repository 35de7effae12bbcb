-- A path is the labels, each ended by 0x1f, after a first 0x1f: a prefix of labels is a range of paths.
create table hybrid_namespaces (
  id integer primary key, path text not null unique,
  items integer not null default 0, length integer not null default 0
);
create table hybrid_commits (revision integer primary key, at integer not null, source text);
-- What is current; times in microseconds since 1970.
create table hybrid_items (
  id integer primary key, ns integer not null, key text not null, value text not null,
  version integer not null, recorded_from integer not null,
  created_at integer not null, updated_at integer not null, expires_at integer, ttl real,
  length integer not null, terms text, unique (ns, key)
);
create index hybrid_items_expiry on hybrid_items (expires_at) where expires_at is not null;
-- What was superseded; value null marks a deletion.
create table hybrid_versions (
  ns integer not null, key text not null, version integer not null, item integer not null, value text,
  recorded_from integer not null, recorded_to integer not null,
  created_at integer not null, updated_at integer not null, expires_at integer, terms text,
  primary key (ns, key, version)
) without rowid;
create table hybrid_postings (
  ns integer not null, term text not null, item integer not null, tf integer not null, length integer not null,
  primary key (ns, term, item)
) without rowid;
-- A rowid table: blobs in a table without one are three times slower to read.
create table hybrid_vectors (
  id integer primary key, ns integer not null, item integer not null, field text not null, embedding blob not null
);
create index hybrid_vectors_item on hybrid_vectors (ns, item);
create table hybrid_marks (name text primary key, value integer not null) without rowid
