"""Auto-picking: by references, blobs, a small network or Topaz."""
