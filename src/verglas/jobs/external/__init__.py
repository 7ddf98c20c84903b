"""External: any program of the user as a job."""
