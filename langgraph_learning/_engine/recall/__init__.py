"""Recall: before the reply, find the records that fit the turn, rank them, and render them within a token budget."""
