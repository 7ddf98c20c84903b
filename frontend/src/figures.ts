// Figures of micrographs: what they are called and how they are shown, here and in the journal of a live session.

/** Values are shown times `scale`; `live` is the key of the session's journal where it differs. */
export const FIGURES: Record<
  string,
  { title: string; unit: string; scale?: number; live?: string }
> = {
  defocus_u_angst: { title: "Defocus", unit: "µm", scale: 1e-4 },
  astigmatism_angst: { title: "Astigmatism", unit: "Å" },
  fit_resolution_angst: { title: "CTF fit", unit: "Å", live: "ctf_resolution_angst" },
  motion_angst: { title: "Drift", unit: "Å", live: "motion_total_angst" },
  motion_early_angst: { title: "Early drift", unit: "Å" },
  ice: { title: "Ice ring", unit: "", live: "ice_ring" },
  picks: { title: "Picks", unit: "" },
  fit_score: { title: "CTF figure of merit", unit: "", live: "ctf_merit" },
  motion_late_angst: { title: "Late drift", unit: "Å" },
  phase_shift_deg: { title: "Phase shift", unit: "°" },
  tilt_deg: { title: "Tilt", unit: "°" },
};

export const titled = (key: string) =>
  `${FIGURES[key].title}${FIGURES[key].unit ? ` (${FIGURES[key].unit})` : ""}`;
