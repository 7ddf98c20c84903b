"""What is fixed while an optics group passes through an expectation step, laid out for products."""
