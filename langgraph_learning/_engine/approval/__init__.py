"""PROPOSE: where proposals are kept, and what becomes of a person's answer."""
