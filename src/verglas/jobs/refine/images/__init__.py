"""Where a refinement's images come from: stacks, memory, a scratch disc, or rank 0."""
