// Unpacks plotly's JavaScript into window.Plotly, once per page. The charts' own scripts stand before this one.

async function load() {
  const packed = Uint8Array.from(atob("PLOTLY_GZIP_BASE64"), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.text = await new Response(stream).text();
  document.head.append(script);
  window.firedrillCharts = { show, forget, ready };
}

export default function () {
  if (window.Plotly || window.firedrillPlotlyLoads) return;
  window.firedrillPlotlyLoads = load();
}
