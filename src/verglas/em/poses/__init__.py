"""The poses that are searched: grids, local neighbourhoods, priors."""
