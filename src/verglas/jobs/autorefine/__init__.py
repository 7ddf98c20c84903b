"""3D auto-refine: one map from two independent half-sets."""
