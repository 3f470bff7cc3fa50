"""Recorded or live, from signals to a root cause."""
