"""The REST routes, one module per subject; each only translates between JSON and the project."""
