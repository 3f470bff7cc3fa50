"""The model's words, checked."""
