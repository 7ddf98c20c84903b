"""What a person asks of a session: to begin, to change, to try, to choose, to keep."""
