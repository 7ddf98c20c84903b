"""Import: raw data and everything else that comes from outside the project."""
