"""Flags of `verglas star`: those of relion_star_handler (pipeline.md §8)."""

from __future__ import annotations

from verglas.jobs.contract.program import Flag, Program

_NUMBER_LIMIT = 99999999.0


def _section(title: str, *flags: Flag) -> list[Flag]:
    return [Flag(flag.name, flag.default, flag.help, title) for flag in flags]


_FLAGS: tuple[Flag, ...] = (
    *_section(
        "General options",
        Flag("--i", "", "Input STAR file; several, separated by blanks, for --combine"),
        Flag("--o", "out.star", "Output STAR file"),
        Flag("--ignore_optics", False, "Write the table alone, without optics groups"),
        Flag("--angpix", 1.0, "Pixel size of the images (Å), for files without optics groups"),
        Flag("--i_tablename", "", "Work on the table of this name"),
    ),
    *_section(
        "Compare options",
        Flag("--compare", "", "STAR file to compare the input with"),
        Flag("--label1", "", "Column to compare: text, or the first coordinate"),
        Flag("--label2", "", "Second coordinate"),
        Flag("--label3", "", "Third coordinate"),
        Flag("--max_dist", 0.0, "Largest distance of a match, for numbers"),
    ),
    *_section(
        "Select options",
        Flag("--select", "", "Keep rows by the value of this column"),
        Flag("--minval", -_NUMBER_LIMIT, "Smallest value that is kept"),
        Flag("--maxval", _NUMBER_LIMIT, "Largest value that is kept"),
        Flag("--select_by_str", "", "Keep rows by the text of this column"),
        Flag("--select_include", "", "Keep rows that contain this text"),
        Flag("--select_exclude", "", "Leave out rows that contain this text"),
        Flag("--discard_on_stats", False, "Leave out images with unusual mean or deviation"),
        Flag("--discard_label", "rlnImageName", "Column that names the images"),
        Flag("--discard_sigma", 4.0, "How many sigmas from the average are unusual"),
        Flag("--remove_duplicates", -1.0, "Of particles closer than this (Å) keep the best"),
        Flag("--image_angpix", -1.0, "Pixel size of the micrographs (Å), if not in the file"),
    ),
    *_section(
        "Combine options",
        Flag("--combine", False, "Join the input files"),
        Flag("--check_duplicates", "", "Column whose values may occur once only"),
    ),
    *_section(
        "Split options",
        Flag("--split", False, "Write parts: _split1, _split2 ... before the extension"),
        Flag("--random_order", False, "Shuffle before splitting"),
        Flag("--random_seed", -1, "Seed of the shuffling; negative: a new one, which is told"),
        Flag("--nr_split", -1, "Number of parts"),
        Flag("--size_split", -1, "Rows per part; with --nr_split: that many such parts"),
    ),
    *_section(
        "Operate options",
        Flag("--operate", "", "Change the values of this column"),
        Flag("--operate2", "", "And of this one"),
        Flag("--operate3", "", "And of this one"),
        Flag("--set_to", "", "Set all values to this one; the other two are then ignored"),
        Flag("--multiply_by", 1.0, "Multiply by this value"),
        Flag("--add_to", 0.0, "Add this value, after multiplying"),
    ),
    *_section(
        "Center options",
        Flag("--center", False, "Move the origins to a position in the reference"),
        Flag("--center_X", 0.0, "That position along X (image pixels from the centre)"),
        Flag("--center_Y", 0.0, "Along Y"),
        Flag("--center_Z", 0.0, "Along Z"),
    ),
    *_section(
        "Column options",
        Flag("--remove_column", "", "Take this column out"),
        Flag("--add_column", "", "Add this column"),
        Flag("--add_column_value", "", "With this value in all rows"),
        Flag("--copy_column_from", "", "Or with the values of this column"),
        Flag("--hist_column", "", "Print a histogram of this column, and plot it (.eps)"),
        Flag("--in_percent", False, "Histogram in percent"),
        Flag("--show_cumulative", False, "Cumulative histogram"),
        Flag("--hist_bins", -1, "Number of bins; by default after Freedman and Diaconis"),
        Flag("--hist_min", float("-inf"), "Lower end of the histogram"),
        Flag("--hist_max", float("inf"), "Upper end of the histogram"),
    ),
)

PROGRAM = Program(
    "star",
    {flag.name: flag for flag in _FLAGS},
    "operations on STAR files (also: verglas star print|plot|convert --help)",
    "relion_star_handler",
)
