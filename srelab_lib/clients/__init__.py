"""Bounded I/O: raw payloads in and out, no judgement."""
