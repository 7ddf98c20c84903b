"""Data that ships with the package: the specimen of the demo (README.md here says where it is from)."""
