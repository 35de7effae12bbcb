-- Applied when a store is first opened with an embedder; plain storage keeps the vectors beside their keys.
create table $schema.hybrid_vectors (
  ns int not null, item bigint not null, field text not null, embedding $vector.vector($dims) not null,
  primary key (ns, item, field)
);
alter table $schema.hybrid_vectors alter column embedding set storage plain
