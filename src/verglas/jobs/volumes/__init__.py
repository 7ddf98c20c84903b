"""Maps, masks and half maps as inputs of jobs: read, checked, with errors that name the file."""
