"""One folder per job type: options -> expected outputs -> work -> output files; below them `contract`."""
