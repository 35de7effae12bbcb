-- Applied with 0002 where pgvector can index so many dimensions; without it every vector search is exact.
create index hybrid_vectors_nearest on $schema.hybrid_vectors using hnsw (embedding $vector.vector_cosine_ops)
