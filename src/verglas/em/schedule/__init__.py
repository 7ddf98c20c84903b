"""Which steps an iteration takes, and when a run changes its ways."""
