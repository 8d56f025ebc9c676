// A request as a program that makes it, ready to run.

const PRINT = `print(job["result"][0]["generated_text"])`;

/** For a POSIX shell. The key is named, not shown: code is passed on. */
export function curl(request, origin, hasKey) {
  const parts = [`curl ${quoted(`${origin}/predict`)}`, `-H 'Content-Type: application/json'`];
  if (hasKey) parts.push(`-H "Authorization: Bearer $NEOSERVE_API_KEY"`);
  parts.push(`-d ${quoted(json(request))}`);
  return parts.join(" \\\n  ");
}

/** With nothing but the standard library. */
export function python(request, origin, hasKey) {
  const headers = [`"Content-Type": "application/json"`];
  if (hasKey) headers.push(`"Authorization": "Bearer " + os.environ["NEOSERVE_API_KEY"]`);
  return `import json
${hasKey ? "import os\n" : ""}from urllib.request import Request, urlopen

SERVICE = ${JSON.stringify(origin)}
HEADERS = {${headers.join(", ")}}


def call(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(SERVICE + path, data, HEADERS)) as answer:
        return json.load(answer)


job = call("/predict", {
${fields(request)}
})
while job["status"] in ("queued", "running"):  # It takes longer than one call waits.
    job = call(job["urls"]["self"] + "?wait=30")
${PRINT}
`;
}

function fields(request) {
  return Object.entries(request)
    .map(([name, value]) => `    ${JSON.stringify(name)}: ${literal(value)},`)
    .join("\n");
}

/** JSON's strings and numbers are Python's, too. */
function literal(value) {
  if (typeof value === "boolean") return value ? "True" : "False";
  return JSON.stringify(value);
}

/** Spaced, so that it can be read, and broken into lines. */
function json(request) {
  const members = Object.entries(request).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  return `{${members.join(", ")}}`;
}

function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
