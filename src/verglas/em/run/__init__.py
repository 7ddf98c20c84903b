"""Running iterations: threads, memory, progress."""
