"""Flags of `verglas image`: those of relion_image_handler (pipeline.md §8)."""

from __future__ import annotations

from verglas.jobs.contract.program import Flag, Program

_AUTO = "pixel value; by default from the image"
COLOURS = ("fire", "ice", "fire-n-ice", "rainbow", "difference")
_GENERAL = (
    Flag("--i", "", "Image or map (.mrc), stack (.mrcs), movie (.tif, .eer) or STAR file",
         required=True),
    Flag("--o", "", "Output name; for a STAR file: what is inserted before each extension"),
    Flag("--angpix", -1.0, "Pixel size (Å); by default that of the header"),
    Flag("--float16", False, "Write half precision (MRC mode 12)"),
)  # fmt: skip
_ARITHMETIC = (
    Flag("--multiply_constant", 1.0, "Multiply by this value"),
    Flag("--divide_constant", 1.0, "Divide by this value"),
    Flag("--add_constant", 0.0, "Add this value"),
    Flag("--subtract_constant", 0.0, "Subtract this value"),
    Flag("--threshold_above", 999.0, "Higher values become this one (if given)"),
    Flag("--threshold_below", -999.0, "Lower values become this one (if given)"),
    Flag("--multiply", "", "Multiply by this image"),
    Flag("--divide", "", "Divide by this image; 0 where it is 0"),
    Flag("--add", "", "Add this image"),
    Flag("--subtract", "", "Subtract this image"),
    Flag("--optimise_scale_subtract", False, "Scale that image for the least squares first"),
    Flag("--mask_optimise_subtract", "", "Find the scale where this mask is positive"),
    Flag("--remove_nan", False, "Replace values that are no finite numbers"),
    Flag("--replace_nan", 0.0, "By this value"),
)
_FOURIER = (
    Flag("--lowpass", -1.0, "Low-pass filter (Å)"),
    Flag("--highpass", -1.0, "High-pass filter (Å)"),
    Flag("--filter_edge_width", 2, "Width of the filter edge (shells)"),
    Flag("--directional", "", "Low and high pass along X, Y or Z only"),
    Flag("--bfactor", 0.0, "Apply this B-factor (Å²); negative sharpens"),
    Flag("--LoG", -1.0, "Laplacian of Gaussian for blobs of this diameter (Å)"),
    Flag("--local_filter", "", "Low-pass every voxel at the resolution (Å) that this map has there"),
    Flag("--phase_randomise", -1.0, "Random phases beyond this resolution (Å)"),
    Flag("--random_seed", 1, "Seed of the random phases"),
    Flag("--adjust_power", "", "Take the mean amplitude of every shell from this image"),
)
_GEOMETRY = (
    Flag("--rescale_angpix", -1.0, "Resample to this pixel size (Å), rounded to even boxes"),
    Flag("--force_header_angpix", -1.0, "Write this pixel size into the header (Å)"),
    Flag("--new_box", -1, "Cut or pad to this box (pixels)"),
    Flag("--flipX", False, "Mirror along X"),
    Flag("--flipY", False, "Mirror along Y"),
    Flag("--flipZ", False, "Mirror along Z"),
    Flag("--flipXY", False, "Exchange X and Y"),
    Flag("--flipmXY", False, "Exchange X and -Y"),
    Flag("--invert_hand", False, "Mirror along X about the centre of symmetry"),
    Flag("--shift_com", False, "Move the centre of mass of the positive pixels to the centre"),
    Flag("--shift_x", 0.0, "Move along X (pixels)"),
    Flag("--shift_y", 0.0, "Move along Y (pixels)"),
    Flag("--shift_z", 0.0, "Move along Z (pixels)"),
    Flag("--sym", "", "Symmetrise a map in this point group"),
    Flag("--align_symmetry", "", "Turn a map until its axes lie where this point group has them"),
    Flag("--fit_to", "", "Turn and move a map onto this one, of the same box and pixel size"),
    Flag("--difference", "", "Less this map, with amplitudes and scale matched to the input first"),
)
_MEASURES = (
    Flag("--fsc", "", "Print the FSC with this image"),
    Flag("--power", False, "Print the power spectrum"),
    Flag("--stats", False, "Print size, mean, deviation, range of every image"),
    Flag("--com", False, "Print the centre of mass of every image"),
)
_AVERAGES = (
    Flag("--average", False, "Write the mean of all images"),
    Flag("--avg_bin", -1, "Add up every so many frames, as RELION does (sums in spite of the name)"),
    Flag("--avg_first", -1, "First frame, from 1"),
    Flag("--avg_last", -1, "Last frame"),
    Flag("--eer_grouping", 32, "Hardware frames per frame of an EER movie"),
)
_PICTURES = (
    Flag("--black", 0.0, f"Black: {_AUTO}"),
    Flag("--white", 0.0, f"White: {_AUTO}"),
    Flag("--sigma_contrast", 0.0, "Black and white this many deviations from the mean"),
    *(Flag(f"--colour_{name}", False, f"Colours: {name}") for name in COLOURS),
)
_SECTIONS = {
    "General options": _GENERAL, "Arithmetic": _ARITHMETIC, "Fourier space": _FOURIER,
    "Geometry": _GEOMETRY, "Measures (to standard output)": _MEASURES,
    "Averages of images and frames": _AVERAGES, "PNG (when --o ends in .png)": _PICTURES,
}  # fmt: skip

PROGRAM = Program(
    "image",
    {
        flag.name: Flag(flag.name, flag.default, flag.help, title, required=flag.required)
        for title, flags in _SECTIONS.items()
        for flag in flags
    },
    "operations on images, maps, stacks, movies, and all images of a STAR file",
    "relion_image_handler",
)
