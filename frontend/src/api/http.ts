// Talking to the server: one function per verb, errors with the server's own words.

export class ApiError extends Error {
  constructor(
    readonly status: number,
    text: string,
    readonly fault = "",
  ) {
    super(text);
  }
}

const base = new URL("api/", new URL(".", location.href.split("#")[0]));

export function address(path: string, query: Record<string, unknown> = {}): string {
  const url = new URL(path, base);
  for (const [key, value] of Object.entries(query)) {
    if (Array.isArray(value)) value.forEach(each => url.searchParams.append(key, String(each)));
    else if (value !== undefined && value !== "") url.searchParams.set(key, String(value));
  }
  return url.toString();
}

export async function call<T>(
  method: string,
  path: string,
  body?: unknown,
  query = {},
  signal?: AbortSignal,
): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(address(path, query), {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    });
  } catch (reason) {
    if (signal?.aborted) throw reason;
    throw new ApiError(0, "the server does not answer; is `verglas gui` still running?");
  }
  const text = await answer.text();
  let parsed: unknown = null;
  try {
    parsed = text ? JSON.parse(text) : null;
  } catch {
    /* not JSON: an error page of a proxy */
  }
  if (!answer.ok) {
    const { error, fault } = (parsed ?? {}) as { error?: string; fault?: string };
    const said = error ?? `the server answered ${answer.status}`;
    throw new ApiError(answer.status, fault ? `${said} (fault ${fault} in the log)` : said, fault);
  }
  return parsed as T;
}

export const get = <T>(path: string, query = {}, signal?: AbortSignal) =>
  call<T>("GET", path, undefined, query, signal);
export const post = <T>(path: string, body: unknown = {}) => call<T>("POST", path, body);
export const remove = <T>(path: string, query = {}) => call<T>("DELETE", path, undefined, query);
export const put = <T>(path: string, body: unknown) => call<T>("PUT", path, body);

export function socketAddress(path: string): string {
  return address(path).replace(/^http/, "ws");
}
