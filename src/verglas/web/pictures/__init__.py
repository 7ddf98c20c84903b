"""Pictures of micrographs, classes and maps."""
