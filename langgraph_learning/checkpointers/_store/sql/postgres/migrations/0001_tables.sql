-- A path is the labels, each ended by 0x1f, after a first 0x1f: a prefix of labels is a range of paths.
create table $schema.hybrid_namespaces (
  id int primary key, path text collate "C" not null unique,
  items bigint not null default 0, length bigint not null default 0
);
create table $schema.hybrid_commits (revision bigint primary key, at timestamptz not null, source jsonb);
-- What is current.
create table $schema.hybrid_items (
  id bigint primary key, ns int not null, key text collate "C" not null, value jsonb not null,
  version bigint not null, recorded_from bigint not null,
  created_at timestamptz not null, updated_at timestamptz not null, expires_at timestamptz, ttl float8,
  length int not null, terms text, unique (ns, key)
);
create index hybrid_items_expiry on $schema.hybrid_items (expires_at) where expires_at is not null;
-- What was superseded; value null marks a deletion.
create table $schema.hybrid_versions (
  ns int not null, key text collate "C" not null, version bigint not null, item bigint not null, value jsonb,
  recorded_from bigint not null, recorded_to bigint not null,
  created_at timestamptz not null, updated_at timestamptz not null, expires_at timestamptz, terms text,
  primary key (ns, key, version)
);
create table $schema.hybrid_postings (
  ns int not null, term text collate "C" not null, item bigint not null, tf int not null, length int not null,
  primary key (ns, term, item) include (tf, length)
);
create table $schema.hybrid_marks (name text primary key, value bigint not null)
