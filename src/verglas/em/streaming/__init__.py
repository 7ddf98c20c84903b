"""A map that follows its particles while they arrive: what is kept between updates, and an update."""
