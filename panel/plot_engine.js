// Brings plotly's JavaScript to the page, once: the page's head has asked for it, and where that failed, it is asked for
// anew. The charts' own scripts stand before this one.

const ADDRESS = "PLOTLY_ADDRESS";
const ARRIVES_MS = 20000;
const AGAIN_MS = 1000; // a panel that is just starting anew

async function load() {
  let script = document.querySelector(`script[src="${ADDRESS}"]`);
  const asked = script !== null;
  if (!asked) {
    script = document.createElement("script");
    script.src = ADDRESS;
  }
  if (!window.Plotly) {
    await new Promise((done, failed) => {
      script.addEventListener("load", done);
      script.addEventListener("error", failed);
      setTimeout(failed, ARRIVES_MS);
      if (!asked) document.head.append(script);
    }).catch(() => {
      script.remove();
      throw new Error(`${ADDRESS} did not come`);
    });
  }
  window.firedrillCharts = { show, forget, ready };
}

function attempt() {
  window.firedrillPlotlyLoads = load().catch((problem) => {
    console.error(problem);
    setTimeout(attempt, AGAIN_MS);
  });
}

export default function () {
  if (!window.firedrillPlotlyLoads) attempt();
}
