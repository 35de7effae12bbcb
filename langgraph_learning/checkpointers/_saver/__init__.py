"""The checkpointers: one wrapper that ties checkpoints to revisions of the store, and a saver for each database."""
