"""The `verglas` command: one module per command group, thin."""
