"""Polishing: particles followed through the frames of their movie, frames weighted by what they show.

The prior, the correlations and the search of tracks, the training of the prior, frame weights, and the sums
that take the particles' place (refinement.md §10.12). Arrays in, arrays out.
"""
