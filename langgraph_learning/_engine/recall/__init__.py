"""Before the reply: find what matters for the turn, rank it, and render it within a budget."""
