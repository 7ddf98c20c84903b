"""`verglas project`: projections of a map."""
