"""From raw payloads to tables: pure functions, no input or output."""
