"""Live sessions as the pages see them."""
