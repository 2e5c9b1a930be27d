// Draws a plotly figure and, when newer data come, changes the drawing in place: zoom and hover stay.
// window.Plotly comes from the other component of plots.py; until it is there, wait.

const WAIT_MS = 50;

function draw(box, given) {
  const figure = JSON.parse(given.figure);
  const style = getComputedStyle(box);
  const layout = figure.layout;
  layout.font = { ...layout.font, color: style.color, family: style.fontFamily };
  layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
  layout.hoverlabel = { font: { family: style.fontFamily, size: 14 }, ...layout.hoverlabel };
  layout.autosize = true;
  return window.Plotly.react(box, figure.data, layout, { displayModeBar: false, responsive: true });
}

// One drawing at a time: plotly breaks when a box is changed or purged in the middle of its drawing.
function queue(box) {
  box.drawing = Promise.resolve(box.drawing)
    .then(() => (box.gone ? undefined : draw(box, box.pending)))
    .catch((problem) => console.error(problem));
}

export default function ({ parentElement, data }) {
  const box = parentElement.querySelector(".fd-plot");
  box.setAttribute("aria-label", data.alt);
  box.style.height = `${data.height}px`;
  box.pending = data;
  if (box.waiting) return box.cleanup;
  const attempt = () => {
    box.waiting = window.Plotly ? undefined : setTimeout(attempt, WAIT_MS);
    if (!box.waiting) queue(box);
  };
  box.cleanup = () => {
    clearTimeout(box.waiting);
    box.waiting = undefined;
    box.gone = true;
    if (box.drawing) box.drawing.then(() => window.Plotly.purge(box));
  };
  box.gone = false;
  attempt();
  return box.cleanup;
}
