"""One module per job type: options -> expected outputs -> work -> output files."""
