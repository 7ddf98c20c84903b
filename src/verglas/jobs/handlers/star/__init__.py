"""`verglas star`: operations on STAR files."""
