"""Reflection: the events of many turns become procedures, instructions and learnings."""
