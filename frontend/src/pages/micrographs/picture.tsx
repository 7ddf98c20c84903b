// How the picture is shown: contrast (by itself or by hand), low-pass.
import { usePersisted } from "../../hooks";

export interface Look {
  contrast: [number, number];
  setContrast: (ends: [number, number]) => void;
  lowPass: number;
  setLowPass: (angst: number) => void;
  auto: boolean;
  setAuto: (on: boolean) => void;
}
const LEAST = 20; // grey levels between black and white
const MOST_ANGST = 200;

export function PicturePanel({ look }: { look: Look }) {
  const [black, white] = look.contrast;
  const set = (ends: [number, number]) => {
    look.setAuto(false);
    look.setContrast(ends);
  };
  return (
    <section>
      <h3>Picture</h3>
      <label className="check">
        <input
          type="checkbox"
          checked={look.auto}
          onChange={event => {
            look.setAuto(event.target.checked);
            if (!event.target.checked) look.setContrast([0, 255]);
          }}
        />{" "}
        contrast by itself
      </label>
      <label className="slider">
        Black{" "}
        <input
          type="range"
          min={0}
          max={235}
          value={black}
          onChange={event => {
            const v = Number(event.target.value);
            set([v, Math.max(white, v + LEAST)]);
          }}
        />
      </label>
      <label className="slider">
        White{" "}
        <input
          type="range"
          min={20}
          max={255}
          value={white}
          onChange={event => {
            const v = Number(event.target.value);
            set([Math.min(black, v - LEAST), v]);
          }}
        />
      </label>
      <LowPass value={look.lowPass} set={look.setLowPass} />
    </section>
  );
}

function LowPass({ value, set }: { value: number; set: (angst: number) => void }) {
  const [last, setLast] = usePersisted("lowpass.last", 20);
  return (
    <div className="low-pass">
      <label className="check">
        <input
          type="checkbox"
          checked={value > 0}
          onChange={event => set(event.target.checked ? last : 0)}
        />{" "}
        low-pass
      </label>
      <label>
        <input
          className="number"
          type="number"
          min={1}
          max={MOST_ANGST}
          step="any"
          aria-label="low-pass in Å"
          value={value > 0 ? value : last}
          onChange={event => {
            const v = Number(event.target.value);
            if (!(v > 0) || v > MOST_ANGST) return;
            setLast(v);
            set(v);
          }}
        />{" "}
        Å
      </label>
    </div>
  );
}
