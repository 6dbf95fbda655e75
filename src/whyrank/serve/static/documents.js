// From what was pasted to documents {id, text, title?}. Pure.

/** Thrown with words for the person who pasted. */
export class BadPaste extends Error {}

/** The documents of a pasted text: a JSON array, JSON Lines, stretches between blank lines, or lines. */
export function documentsOf(pasted) {
  const text = pasted.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n");
  const start = text.trimStart();
  if (start.startsWith("[") && isJson(start)) return listed(JSON.parse(start));
  if (start.startsWith("{")) return listed(jsonLines(text));
  const pieces = /\n[ \t]*\n/.test(text.trim()) ? text.split(/\n[ \t]*\n/) : text.split("\n");
  return listed(pieces.map((piece) => piece.trim()).filter(Boolean));
}

function jsonLines(text) {
  const lines = text.split("\n");
  return lines.flatMap((line, place) => {
    if (!line.trim()) return [];
    if (!isJson(line))
      throw new BadPaste(`Line ${place + 1} is no JSON; in JSON Lines each line is an object with “text”.`);
    return [JSON.parse(line)];
  });
}

function listed(given) {
  return given.map((own, place) => {
    const document = typeof own === "string" ? { text: own } : own;
    if (document === null || typeof document !== "object" || typeof document.text !== "string") {
      throw new BadPaste(`Document ${place + 1} has no “text”; give a text, or an object with “text”.`);
    }
    const id = String(document.id ?? document._id ?? place + 1);
    const title = typeof document.title === "string" && document.title.trim() ? document.title : null;
    return { id, text: document.text, title };
  });
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
