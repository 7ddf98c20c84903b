"""Join star files."""
