"""What is stored, over time: history and undo, votes, curation, export and erasure."""
