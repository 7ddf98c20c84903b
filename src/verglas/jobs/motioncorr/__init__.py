"""Motion correction: aligned sums of every movie, with their gains and metadata."""
