// Draws a plotly figure and, when newer data come, changes the drawing in place: zoom and hover stay. Beside it stand
// buttons for its picture, its data, and the stretch of time that was zoomed into.
// A drawing holds still while the pointer rests on it or a zoom is on, and in a tab that nobody sees.

const HOLD_MS = 30000; // a pointer that was left behind does not hold a chart for ever
const LEISURE_MS = 50;
const PATIENCE_MS = 1000;
const NEWLINE = 10;
const NARROW_PX = 480; // on a phone there is no room for the words of stages
const TEMPLATE = PLOTLY_TEMPLATE_JSON;

function read(data) {
  if (typeof data === "string") data = new TextEncoder().encode(data);
  const cut = data.indexOf(NEWLINE);
  const decoder = new TextDecoder();
  return [JSON.parse(decoder.decode(data.subarray(0, cut))), decoder.decode(data.subarray(cut + 1))];
}

// A figure as it was given; plotly's own template is only named in it.
function parsed(text) {
  const figure = JSON.parse(text);
  if (figure.layout.template === "plotly") figure.layout.template = structuredClone(TEMPLATE);
  return figure;
}

function figureOf(box, text) {
  const figure = parsed(text);
  const style = getComputedStyle(box);
  const layout = figure.layout;
  layout.font = { ...layout.font, color: style.color, family: style.fontFamily };
  layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
  layout.hoverlabel = { font: { family: style.fontFamily, size: 14 }, ...layout.hoverlabel };
  layout.autosize = true;
  if (box.clientWidth < NARROW_PX) {
    for (const note of layout.annotations ?? []) {
      if (note.captureevents) note.text = note.text.replace(/<\/span>.*/, "</span>"); // a sign without its word
    }
  }
  return enlarged(figure, style);
}

// The projector's look sets two variables: type and lines grow by them, however the figure was made.
function enlarged(figure, style) {
  const scale = scaleOf(style, "--fd-scale");
  const line = scaleOf(style, "--fd-line");
  if (scale === 1 && line === 1) return figure;
  const { layout, data } = figure;
  layout.font.size = layout.font.size || 12;
  const grow = (part) => {
    for (const [name, value] of Object.entries(part)) {
      if (!value || typeof value !== "object") continue;
      if (/font$/.test(name) && value.size) value.size *= scale;
      else grow(value);
    }
  };
  grow(layout);
  for (const note of layout.annotations ?? []) if (note.yshift) note.yshift *= scale; // lines of words stay apart
  for (const side of ["l", "r", "t", "b"]) if (layout.margin?.[side]) layout.margin[side] *= scale;
  for (const trace of data) if (trace.mode?.includes("lines")) trace.line = { ...trace.line, width: (trace.line?.width ?? 2) * line };
  return figure;
}

function scaleOf(style, name) {
  return parseFloat(style.getPropertyValue(name)) || 1;
}

// The colours of the page may have changed too.
function looksOf(box) {
  const style = getComputedStyle(box);
  return `${style.color} ${style.fontFamily} ${scaleOf(style, "--fd-scale")}`;
}

async function draw(host) {
  const box = host.box;
  if (host.gone || (host.drawn === host.text && host.looks === looksOf(box))) return;
  const text = host.text;
  host.looks = looksOf(box);
  const figure = figureOf(box, text);
  await window.Plotly.react(box, figure.data, figure.layout, { displayModeBar: false, responsive: true });
  host.drawn = text;
  if (!host.listens) listen(host);
  host.setAttribute("data-drawn", "true");
}

// What is out of sight is drawn first when nothing else is to be done, one after the other.
let later = Promise.resolve();
const atLeisure = window.requestIdleCallback ?? ((act) => setTimeout(act, LEISURE_MS));

function turn(host) {
  const { top, bottom } = host.getBoundingClientRect();
  if (host.drawn || (bottom >= 0 && top <= window.innerHeight)) return undefined;
  later = later.then(() => new Promise((go) => atLeisure(go, { timeout: PATIENCE_MS })));
  return later;
}

// One drawing at a time: plotly breaks when a box is changed or purged in the middle of its drawing.
function queue(host) {
  if (!host.text) return;
  if (host.drawn && (document.hidden || host.zoomed || pointed(host))) return;
  host.drawing = Promise.resolve(host.drawing)
    .then(() => turn(host))
    .then(() => draw(host))
    .catch((problem) => console.error(problem));
}

function pointed(host) {
  const rests = host.pointedAt !== undefined && Date.now() - host.pointedAt < HOLD_MS;
  host.toggleAttribute("data-held", rests);
  return rests;
}

function listen(host) {
  host.listens = true;
  const box = host.box;
  box.on("plotly_relayout", (change) => {
    if (!Object.keys(change).some((name) => name.startsWith("xaxis"))) return;
    host.zoomed = change["xaxis.range[0]"] !== undefined || change["xaxis.range"] !== undefined;
    host.range.hidden = !(host.zoomed && host.about.ranged && shownRange(box));
    if (!host.zoomed) queue(host);
  });
  box.on("plotly_click", ({ points }) => {
    const trace = points.map((point) => point.customdata).find((data) => typeof data === "string" && data);
    if (trace) follow(`traces?trace=${encodeURIComponent(trace)}`);
  });
}

function button(host, label, hint, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label;
  made.title = hint;
  made.addEventListener("click", async () => {
    try {
      await act();
    } catch (problem) {
      console.error(problem);
      host.said.textContent = `${label} failed: ${problem.message ?? problem}`;
    }
  });
  host.tools.append(made);
  return made;
}

function fitOut(host) {
  host.box = host.querySelector(".fd-plot");
  host.tools = document.createElement("div");
  host.tools.className = "fd-chart-tools";
  host.tools.setAttribute("role", "group");
  host.said = document.createElement("span");
  host.said.setAttribute("role", "status");
  host.tools.append(host.said);
  const picture = (white) => async () =>
    handOver(await pictureOf(host.box, host.about, host.drawn ?? host.text, white), fileName(host.about.title, "png"));
  host.range = button(host, "Use this range", "Show the zoomed stretch of time in all charts", () => {
    const [from, to] = shownRange(host.box);
    host.zoomed = false;
    host.range.hidden = true;
    host.given.setTriggerValue("range", [spokenWall(from), spokenWall(to)]);
  });
  host.range.hidden = true;
  button(host, "PNG", "Save this chart as a picture", picture(false));
  host.white = button(host, "PNG on white", "Save this chart as a picture for paper", picture(true));
  button(host, "CSV", "Save the values of this chart", () => {
    const table = csvOf(JSON.parse(host.drawn ?? host.text), host.about.zone);
    const address = URL.createObjectURL(new Blob([table], { type: "text/csv" }));
    handOver(address, fileName(host.about.title, "csv"));
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  });
  host.append(host.tools);
  host.box.addEventListener("pointermove", () => { host.pointedAt = Date.now(); });
  host.box.addEventListener("pointerleave", () => { host.pointedAt = undefined; queue(host); });
  host.seen = () => { if (!document.hidden) queue(host); };
}

function isDark(box) {
  const [red, green, blue] = (getComputedStyle(box).color.match(/\d+/g) ?? [0, 0, 0]).map(Number);
  return red + green + blue > 384; // light letters stand on a dark page
}

function show(host) {
  if (!host.box) fitOut(host);
  host.gone = false;
  document.addEventListener("visibilitychange", host.seen);
  [host.about, host.text] = read(host.given.data);
  host.box.setAttribute("role", "img"); // with its name, never before: a picture without one is a barrier
  host.box.setAttribute("aria-label", host.about.alt);
  host.tools.setAttribute("aria-label", `Save: ${host.about.title}`);
  host.white.hidden = !isDark(host.box);
  host.box.style.height = `${host.about.height}px`;
  queue(host);
}

// Whether everything on the page has been drawn: what takes pictures waits for it.
function ready() {
  const app = document.querySelector("[data-testid=stApp]");
  if (app?.dataset.testScriptState !== "notRunning" || app.dataset.testConnectionState !== "CONNECTED") return false;
  if (document.querySelector("[data-testid=stSkeleton], [data-testid=stAppSkeleton], [data-testid=stSpinner]")) return false;
  return [...document.querySelectorAll(".fd-chart")].every((chart) => chart.dataset.drawn === "true");
}

function forget(host) {
  host.gone = true;
  if (host.seen) document.removeEventListener("visibilitychange", host.seen);
  Promise.resolve(host.drawing).then(() => {
    if (!host.gone || !host.box) return;
    window.Plotly.purge(host.box);
    host.listens = false;
    host.drawn = host.text = undefined;
  });
}
