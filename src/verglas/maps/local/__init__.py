"""How good a map is where: local resolution, and filters that follow it (refinement.md §10.8)."""
