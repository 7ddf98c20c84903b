"""The report of a live session: the report of its project, and what only the session knows."""
