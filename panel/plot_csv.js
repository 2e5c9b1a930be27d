// What a figure shows as CSV (RFC 4180): times in ISO 8601 UTC, units in the header. Pure functions.

const NUMBERS = {
  f8: Float64Array, f4: Float32Array, i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array,
  i4: Int32Array, u4: Uint32Array,
};
const DATE = /^\d{4}-\d{2}-\d{2}([T ]|$)/;

// Numbers that plotly's JSON packs are unpacked; anything else is a list already.
function listOf(values) {
  if (values === undefined || values === null) return [];
  if (!values.bdata) return Array.from(values);
  const bytes = Uint8Array.from(atob(values.bdata), (letter) => letter.charCodeAt(0));
  return Array.from(new NUMBERS[values.dtype](bytes.buffer));
}

function cell(value) {
  const text = value === undefined || value === null ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// A chart's axis shows the server's local time; `zone` holds [from when in that time (ms), seconds east of UTC].
function wallMs(wall) {
  return typeof wall === "number" ? wall : Date.parse(`${wall.replace(" ", "T")}${wall.length > 10 ? "" : "T00:00"}Z`);
}

function offsetS(ms, zone) {
  let offset = zone[0][1];
  for (const [from, east] of zone) if (ms >= from) offset = east;
  return offset;
}

function utc(wall, zone) {
  const ms = wallMs(wall);
  return new Date(ms - 1000 * offsetS(ms, zone)).toISOString();
}

function place(value, zone) {
  return typeof value === "string" && DATE.test(value) ? utc(value, zone) : value;
}

// A name that is not text of its own (bold, line breaks) without its markup.
function plain(text) {
  return String(text ?? "").replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim();
}

function named(trace) {
  const unit = trace.meta?.unit;
  return plain(trace.name || trace.title?.text || "value") + (unit ? ` (${unit})` : "");
}

function xsOf(trace, count) {
  if (trace.x !== undefined) return listOf(trace.x);
  if (trace.x0 === undefined) return Array.from({ length: count }, (_, index) => index);
  const dated = typeof trace.x0 === "string";
  const first = dated ? wallMs(trace.x0) : trace.x0;
  return Array.from({ length: count }, (_, index) => {
    const at = first + index * (trace.dx ?? 1);
    return dated ? new Date(at).toISOString().slice(0, 23) : at;
  });
}

// One row for each x, one column for each trace.
function wide(traces, zone) {
  const rows = new Map();
  let dated = false;
  traces.forEach((trace, column) => {
    const ys = listOf(trace.meta?.values ?? trace.y); // a point that stands at the axis's end has its true value there
    xsOf(trace, ys.length).forEach((x, index) => {
      dated ||= typeof x === "string" && DATE.test(x);
      const key = place(x, zone);
      if (!rows.has(key)) rows.set(key, new Array(traces.length).fill(null));
      rows.get(key)[column] = ys[index];
    });
  });
  const keys = [...rows.keys()];
  if (keys.every((key) => typeof key === "number")) keys.sort((left, right) => left - right);
  else if (dated) keys.sort();
  return [[dated ? "time (UTC)" : "x", ...traces.map(named)], ...keys.map((key) => [key, ...rows.get(key)])];
}

// One row for each bar or mark of charts whose rows are names.
function long(traces, zone) {
  const rows = [["series", "of", "from", "to", "what"]];
  for (const trace of traces) {
    const xs = listOf(trace.x), ys = listOf(trace.y), bases = listOf(trace.base);
    const words = Array.isArray(trace.hovertext) ? trace.hovertext : xs.map(() => trace.hovertext);
    xs.forEach((x, index) => {
      const from = bases[index] ?? x;
      const until = () => (typeof from === "string" ? new Date(wallMs(from) + x).toISOString().slice(0, 23) : from + x);
      rows.push([named(trace), ys[index], place(from, zone), bases.length ? place(until(), zone) : "", plain(words[index])]);
    });
  }
  return rows;
}

function grid(trace, zone) {
  const ys = listOf(trace.y);
  const lines = Array.isArray(trace.z) ? trace.z.map(listOf) : [];
  const xs = xsOf(trace, lines[0]?.length ?? 0);
  const cells = lines.flatMap((line, row) => line.map((value, at) => [place(xs[at], zone), ys[row] ?? row, value]));
  return [["x", "y", named(trace)], ...cells];
}

function rowsOf(traces, zone) {
  const kind = traces[0]?.type ?? "scatter";
  if (kind === "pie") {
    const values = listOf(traces[0].values);
    return [["label", named(traces[0])], ...listOf(traces[0].labels).map((label, index) => [label, values[index]])];
  }
  if (kind === "indicator") return [["series", "value"], ...traces.map((trace) => [named(trace), trace.value])];
  if (kind === "heatmap") return traces.flatMap((trace) => grid(trace, zone));
  if (kind === "table") {
    const columns = listOf(traces[0].cells?.values).map(listOf);
    const heads = listOf(traces[0].header?.values).map((head) => plain(head));
    return [heads, ...(columns[0] ?? []).map((_, row) => columns.map((column) => place(column[row], zone)))];
  }
  const lying = traces.some((trace) => trace.orientation === "h" || trace.base !== undefined);
  return lying ? long(traces, zone) : wide(traces, zone);
}

function csvOf(figure, zone) {
  const traces = figure.data.filter((trace) => trace.visible !== false && trace.hoverinfo !== "skip");
  return rowsOf(traces, zone).map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}
