"""`verglas reconstruct`: a map from particles whose orientations are known."""
