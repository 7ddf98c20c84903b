"""`verglas directions`: resolution by direction, and how evenly particles sample it."""
