// What the server is asked, and what it answers.

/** An answer that is none, in the server's words. */
export class Refused extends Error {
  constructor(message, param, status) {
    super(message);
    this.param = param;
    this.status = status;
  }
}

/** An answer in JSON. `body` is posted; without one the path is got. */
export async function asked(path, { body, token, signal } = {}) {
  return (await answered(path, { body, token, signal })).json();
}

/** An answer of any other kind, whole. */
export async function fetched(path, { body, token, signal } = {}) {
  return (await answered(path, { body, token, signal })).blob();
}

/** Server-sent events, each [name, data] as soon as it is there. */
export async function* streamed(path, { body, token, signal }) {
  const answer = await answered(path, { body, token, signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch(broken);
    signal.throwIfAborted();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) yield event(block);
  }
}

function event(block) {
  const lines = block.split("\n");
  const of = (name) => lines.find((line) => line.startsWith(`${name}: `)).slice(name.length + 2);
  return [of("event"), JSON.parse(of("data"))];
}

function broken(error) {
  if (error.name === "AbortError") throw error;
  throw new Refused("The server is not reached; is it still running?", null, 0);
}

async function answered(path, { body, token, signal }) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const posted = body ? { method: "POST", body: JSON.stringify(body) } : {};
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { ...posted, headers, signal }).catch(broken);
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Refused(told.message ?? `The server answered ${answer.status}.`, told.error?.param ?? null, answer.status);
}
