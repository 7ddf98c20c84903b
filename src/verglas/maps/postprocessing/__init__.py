"""Post-processing of two half maps: what they agree in, and the sharpened map (refinement.md §10.7)."""
