"""The output lists of a session's jobs, kept up to date by a process of their own."""
