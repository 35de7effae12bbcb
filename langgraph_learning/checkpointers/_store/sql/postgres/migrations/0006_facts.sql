-- What is known of the database itself: who it is, and what made its vectors.
create table $schema.hybrid_facts (name text primary key, value text not null);
insert into $schema.hybrid_facts (name, value) values ('database', gen_random_uuid()::text)
