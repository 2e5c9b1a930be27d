// A chart as PNG, always as wide as the others, headed by its title, and by what it shows and when it was taken.

const PICTURE_PX = 800;
const PICTURE_SCALE = 2; // 1600 pixels
const CAPTION_CHARS = 112;

function shownRange(box) {
  const range = box.layout?.xaxis?.range;
  return range && typeof range[0] === "string" ? range : undefined;
}

function spokenWall(wall) {
  return String(wall).replace("T", " ").slice(0, 19);
}

function captionOf(box, about) {
  const range = shownRange(box);
  const now = Date.now();
  const east = offsetS(now, about.zone.map(([from, offset]) => [from - 1000 * offset, offset]));
  const sign = east < 0 ? "\u2212" : "+";
  const hours = `${String(Math.floor(Math.abs(east) / 3600)).padStart(2, "0")}:${String((Math.abs(east) / 60) % 60).padStart(2, "0")}`;
  const parts = range ? [`${spokenWall(range[0])} to ${spokenWall(range[1])}`] : [];
  const told = box.layout?.meta?.firedrill;
  if (told && range) {
    const [from, to] = range.map(wallMs);
    const kinds = told.faults.filter(([, start, end]) => wallMs(end) >= from && wallMs(start) <= to).map(([kind]) => kind);
    parts.push(kinds.length ? `faults: ${[...new Set(kinds)].join(", ")}` : "no fault");
  }
  parts.push(`taken ${spokenWall(new Date(now + 1000 * east).toISOString())} (UTC${sign}${hours})`);
  return parts.join(" \u00b7 ");
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function wrapped(text) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1) && lines.at(-1).length + word.length >= CAPTION_CHARS) lines.push("");
    lines[lines.length - 1] += (lines.at(-1) ? " " : "") + word;
  }
  return lines;
}

function pageColor(box) {
  for (let node = box; node; node = node.parentElement) {
    const color = getComputedStyle(node).backgroundColor;
    if (color && !/rgba\(.*, 0\)|transparent/.test(color)) return color;
  }
  return "white";
}

async function pictureOf(box, about, text, white) {
  const figure = parsed(text);
  const layout = figure.layout;
  const style = getComputedStyle(box);
  const lines = wrapped(captionOf(box, about));
  const head = 44 + 16 * lines.length;
  const margin = { t: 40, b: 40, ...layout.margin };
  const caption = `<span style="font-size:12px">${lines.map(escaped).join("<br>")}</span>`;
  layout.title = {
    text: `<b>${escaped(about.title)}</b><br>${caption}`,
    font: { size: 17 }, x: 0, xanchor: "left", xref: "container", y: 1, yanchor: "top", yref: "container",
    pad: { t: 22, l: 12 },
  };
  layout.margin = { ...margin, t: margin.t + head };
  layout.width = PICTURE_PX;
  layout.height = about.height + head;
  layout.autosize = false;
  // The page's own font does not come along into a picture; one that the machine has is measured and drawn alike.
  layout.font = { ...layout.font, color: white ? "#1c2328" : style.color, family: "Arial, Helvetica, sans-serif" };
  layout.paper_bgcolor = white ? "#ffffff" : pageColor(box);
  layout.plot_bgcolor = "rgba(0,0,0,0)";
  const range = shownRange(box);
  if (range) layout.xaxis = { nticks: 7, tickangle: 0, ...layout.xaxis, range };
  return window.Plotly.toImage(
    { data: figure.data, layout },
    { format: "png", width: PICTURE_PX, height: layout.height, scale: PICTURE_SCALE },
  );
}

function handOver(address, name) {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}

function fileName(title, ending) {
  const slug = title.toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60);
  const at = new Date().toISOString().slice(0, 19).replaceAll(":", "");
  return `${slug || "chart"}-${at}Z.${ending}`;
}
