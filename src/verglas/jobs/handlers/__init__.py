"""Programs that work on single files: `verglas star` and `verglas image`."""
