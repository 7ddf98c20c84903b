"""How a movie moved: tracks of whole frames and of their parts under a prior."""
