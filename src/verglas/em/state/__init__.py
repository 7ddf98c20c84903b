"""What a refinement knows: settings, particles, model, sums, and how ranks add them."""
