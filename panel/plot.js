// One chart's place on the page. What it does stands in plot_chart.js, which the other component of plots.py brings
// once per page; until it is there, wait. What is given is a line of JSON about the chart and then plotly's JSON.

const WAIT_MS = 50;

export default function ({ parentElement, data, setTriggerValue }) {
  const host = parentElement.querySelector(".fd-chart");
  host.given = { data, setTriggerValue };
  clearTimeout(host.waiting);
  const attempt = () => {
    if (window.firedrillCharts) window.firedrillCharts.show(host);
    else host.waiting = setTimeout(attempt, WAIT_MS);
  };
  attempt();
  host.cleanup ??= () => {
    clearTimeout(host.waiting);
    window.firedrillCharts?.forget(host);
  };
  return host.cleanup;
}
