// What a model or a post-processing says of its map: curves and the number they give, Guinier plot, orientations.
import { useProject } from "../../context";
import { useData } from "../../hooks";
import { Boundary } from "../../ui/boundary";
import { number } from "../../ui/words";
import { Curves } from "./curves";
import { useResolutions } from "./iterations";
import { OpenAny } from "./openany";
import { Guinier, Verdict } from "./postprocess";
import { Orientations } from "./sphere";

export function ModelPart({
  model,
  models,
  choose,
}: {
  model: string;
  models: string[];
  choose: (path: string) => void;
}) {
  const { pid } = useProject();
  const isPost = /postprocess\w*\.star$/.test(model);
  return (
    <section className="map-model">
      <header className="row-tools">
        <h3>Model</h3>
        <select value={model} onChange={event => choose(event.target.value)} aria-label="model">
          {models.map(each => (
            <option key={each}>{each}</option>
          ))}
          {!models.includes(model) && <option value={model}>{model || "none"}</option>}
        </select>
        <OpenAny what="any _model.star or postprocess.star" open={choose} />
        {!isPost && <Steps model={model} choose={choose} />}
      </header>
      {isPost && (
        <Boundary what="The result of post-processing">
          <Verdict path={model} />
        </Boundary>
      )}
      <div className="map-curves">
        <section>
          <h3>Fourier shell correlation</h3>
          {model ? (
            <Curves pid={pid} path={model} />
          ) : (
            <p className="hint">A model or postprocess file shows its curves here.</p>
          )}
        </section>
        <section>
          <h3>{isPost ? "Guinier plot" : "Orientations"}</h3>
          {isPost ? (
            <Guinier path={model} />
          ) : model ? (
            <Orientations pid={pid} path={model.replace(/_(half\d_)?model\.star$/, "_data.star")} />
          ) : (
            <p className="hint">Particles that were aligned show here where they look.</p>
          )}
        </section>
      </div>
    </section>
  );
}

/** Iterations of the model's job, each with its resolution. */
function Steps({ model, choose }: { model: string; choose: (path: string) => void }) {
  const { pid } = useProject();
  const series = useData<{ models: string[] }>(model ? `p/${pid}/maps/iterations` : null, {
    model,
  });
  const resolutions = useResolutions(model);
  const steps = series.data?.models ?? [],
    at = steps.indexOf(model);
  if (steps.length < 2 || at < 0) return null;
  const iteration = /_it(\d+)_/.exec(model)?.[1];
  const angst = iteration ? resolutions.get(Number(iteration)) : undefined;
  return (
    <label className="slider inline">
      {iteration ? `iteration ${Number(iteration)}` : "the last"}
      {angst !== undefined && `: ${number(angst)} Å`}
      <input
        type="range"
        aria-label="iteration of the model"
        min={0}
        max={steps.length - 1}
        value={at}
        onChange={event => choose(steps[Number(event.target.value)])}
      />
    </label>
  );
}
