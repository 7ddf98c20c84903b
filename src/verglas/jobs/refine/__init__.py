"""`verglas refine`: from its flags to a run of the engine."""
