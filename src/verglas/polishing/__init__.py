"""Per-particle motion and frame weights (numerics)."""
