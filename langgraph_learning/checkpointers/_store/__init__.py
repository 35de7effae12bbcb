"""The hybrid store: one planner for batches, searches and writes, and a dialect for each database."""
