// Colours of local resolution.

/** Blue for fine, orange for coarse: told apart by everybody, and light enough for a dark room. */
export const RESOLUTIONS = ["#2b7bba", "#9ec5e0", "#f2f0ec", "#f0b183", "#d9642b"];
