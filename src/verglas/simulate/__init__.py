"""Simulated specimens, particles, micrographs and movies with known truth (numerics).

From atoms to counts: `model` (atoms), `pdb`/`mmcif` (text to atoms), `scattering` (atoms to electrostatic
potential), `projection` (atoms to images, exactly, in any orientation), `particles` (stacks),
`placement`, `specimen`, `background` (a field of view), `motion`, `detector`, `movie` (frames of counts).

Conventions are those of refinement.md §1: a point v of the model appears at the first two components of
A v; content is shifted by -origin; underfocus is positive; particles are white in stacks and dark on
micrographs. Atoms are held as x, y, z in Å; arrays as z, y, x. All chance comes from a numpy Generator that
the caller seeds, so the same seed gives the same files whatever the number of workers.
"""
