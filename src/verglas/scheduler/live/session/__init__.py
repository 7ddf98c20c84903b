"""The session at work: movies in, through the stages, results out."""
