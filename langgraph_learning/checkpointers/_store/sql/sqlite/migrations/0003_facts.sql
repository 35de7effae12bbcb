-- What is known of the database itself: who it is, and what made its vectors.
create table hybrid_facts (name text primary key, value text not null) without rowid;
insert into hybrid_facts (name, value) values ('database', lower(hex(randomblob(16))))
