"""What the maps made so far say about those to come: resolution against particles, views, what helped."""
