"""Reflection: what happened over many turns becomes procedures, instructions and learnings."""
