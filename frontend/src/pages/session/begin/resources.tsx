// What a session may use: workers, devices, and which movies come first when it is behind.
interface Props {
  given: Record<string, string>;
  give: (key: string, text: string) => void;
}

export function Resources({ given, give }: Props) {
  return (
    <div className="resources">
      <label>
        Workers{" "}
        <input
          value={given.workers ?? ""}
          inputMode="numeric"
          placeholder="as many as fit"
          aria-label="workers"
          onChange={event => give("workers", event.target.value.replace(/\D/g, ""))}
        />
      </label>
      <label>
        Devices{" "}
        <input
          value={given.devices ?? ""}
          placeholder="all: cuda:0,cuda:1"
          aria-label="devices"
          onChange={event => give("devices", event.target.value)}
        />
      </label>
      <label>
        Behind, begin with the{" "}
        <select
          value={given.first || "oldest"}
          onChange={event => give("first", event.target.value)}
          aria-label="which movies first"
        >
          <option value="oldest">oldest movies</option>
          <option value="newest">newest movies</option>
        </select>
      </label>
    </div>
  );
}
