"""Manual picking."""
