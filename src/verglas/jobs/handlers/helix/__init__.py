"""`verglas helix`: the helical symmetry of maps."""
