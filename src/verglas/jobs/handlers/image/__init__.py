"""`verglas image`: operations on maps, stacks and movies."""
