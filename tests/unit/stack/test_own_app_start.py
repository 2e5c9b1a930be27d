"""An app of the user's in the service's place: what is asked of it, what is rendered, and every way to be wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from stack import commands
from stack.component import child_environment, wanted
from stack.components import COMPONENTS
from stack.endpoints import HOST, Endpoints
from stack.home import Home
from stack.own.app import VARIABLE, AppRequest, OwnApp, app_from_environment
from stack.own.app_check import check_app
from stack.own.app_configuration import render_app
from stack.own.choice import AppOptions, choose_app
from stack.own.errors import (
    AppMetricsUnusable,
    AppNeeded,
    AppUnreachable,
    BadAppOption,
    ControlNotAttached,
    ControlTokenRefused,
    NotWithApp,
    OwnError,
    RuleRefused,
    RulesMissing,
)
from stack.pace import PRODUCTION, WORKSHOP, Pace
from stack.plan import Plan, plan_from_json
from stack.preparation import write_configuration
from stack.rules import promtool
from stack.rules.errors import BadRuleFile
from tests.ports import free_port

RULES = """
groups:
  - name: shop
    rules:
      - {record: 'shop:errors:ratio', expr: 'sum(rate(shop_errors_total[5m])) / sum(rate(shop_seconds_count[5m]))'}
      - {alert: ShopErrors, expr: 'shop:errors:ratio > 0.1', for: 5m}
      - {alert: ShopGone, expr: 'up{job="app"} == 0 or scrape_samples_scraped{job="app"} == 0'}
"""
METRICS = """
# TYPE shop_errors_total counter
# TYPE shop_seconds histogram
shop_seconds_bucket{le="+Inf"} 1
shop_seconds_count 1
shop_seconds_sum 0.1
"""
TOKEN = "right"  # noqa: S105 - a test's
Pages = Mapping[str, tuple[int, str]]
SHOP: Pages = {"/metrics": (200, METRICS)}
CONTROL: Pages = {"/health": (200, '{"status": "healthy", "instance": "a"}'), "/kinds": (200, "[]")}


@contextmanager
def site(pages: Pages, *, token: str = "") -> Iterator[str]:
    """Serve ``pages`` by path, all but ``/health`` only to who has ``token``, and give the address."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = pages.get(self.path, (404, "no such page"))
            given = self.headers.get("Authorization", "")
            if token and self.path != "/health" and given != f"Bearer {token}":
                status, body = 401, '{"error": {"type": "unauthorized"}}'
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            pass

    with ThreadingHTTPServer((HOST, 0), Site) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def nobody() -> str:
    """Return an address at which nothing listens."""
    return f"http://{HOST}:{free_port()}"


def rules_file(folder: Path, text: str = RULES) -> Path:
    """Write a rule file and return it."""
    path = folder / "rules.yml"
    path.write_text(text, encoding="utf-8")
    return path


def plan(tmp_path: Path, app: OwnApp | None, pace: Pace = WORKSHOP) -> Plan:
    """Return the plan of a stack around ``app``."""
    programs = {"prometheus": Path("prometheus"), "alertmanager": Path("alertmanager")}
    return Plan(Home(tmp_path / "home"), Endpoints(2000), pace, traffic=True, programs=programs, app=app)


def chosen(given: AppOptions, *patterns: str, **more: Any) -> OwnApp | None:
    """Choose with the other options as they are by default."""
    return choose_app(given, patterns, **{"dialect": None, "alertmanager": None, "workers": 1, **more})


def test_an_address_is_enough(tmp_path: Path) -> None:
    """What is not said is what most apps have; requests and rules are read, and nothing at all is no app."""
    assert chosen(AppOptions()) is None
    assert chosen(AppOptions("http://127.0.0.1:8010/")) == OwnApp(
        url="http://127.0.0.1:8010", control="http://127.0.0.1:8600", metrics="/metrics", job="app"
    )
    lines = ["GET /books?page=1", 'POST /orders {"book": 1}']
    full = AppOptions("http://localhost:8010/shop", "http://127.0.0.1:9", "/internal/metrics", "shop", lines)
    app = chosen(full, str(rules_file(tmp_path)))
    assert app is not None
    assert app.metrics_url == "http://localhost:8010/shop/internal/metrics"
    assert app.rules == (tmp_path / "rules.yml",)
    assert app.traffic == (
        AppRequest(method="GET", path="/books?page=1"),
        AppRequest(method="POST", path="/orders", body='{"book": 1}'),
    )


@pytest.mark.parametrize(
    ("given", "more", "error", "says"),
    [
        (AppOptions(control="http://127.0.0.1:1"), {}, AppNeeded, "--app-control"),
        (AppOptions(traffic=["GET /"]), {}, AppNeeded, "--app-traffic"),
        (AppOptions("127.0.0.1:8000"), {}, BadAppOption, "--app '127.0.0.1:8000'"),
        (AppOptions("http://:80"), {}, BadAppOption, "--app"),
        (AppOptions("http://h:port"), {}, BadAppOption, "--app"),
        (AppOptions("https://h"), {}, BadAppOption, "http://127.0.0.1:8000"),
        (AppOptions("http://h", control="x"), {}, BadAppOption, "--app-control 'x'"),
        (AppOptions("http://h", metrics="metrics"), {}, BadAppOption, "--app-metrics"),
        (AppOptions("http://h", metrics="/m?a=1"), {}, BadAppOption, "--app-metrics"),
        (AppOptions("http://h", job="my app"), {}, BadAppOption, "--app-job"),
        (AppOptions("http://h", job="firedrill"), {}, BadAppOption, "scrapes the faults"),
        (AppOptions("http://h", traffic=["/books"]), {}, BadAppOption, "GET /books"),
        (AppOptions("http://h", traffic=["BREW /pot"]), {}, BadAppOption, "BREW /pot"),
        (AppOptions("http://h", traffic=["GET /a\r\nX: y"]), {}, None, ""),
        (AppOptions("http://h"), {"dialect": "mlops"}, NotWithApp, "--dialect"),
        (AppOptions("http://h"), {"alertmanager": "a.yml"}, NotWithApp, "--alertmanager-config"),
        (AppOptions("http://h"), {"workers": 2}, NotWithApp, "--workers"),
    ],
)
def test_an_option_that_is_none_is_named(
    given: AppOptions, more: dict[str, Any], error: type[OwnError] | None, says: str
) -> None:
    """The message has the option, what was given and what is expected; a second line is never a header."""
    if error is None:
        with pytest.raises(BadAppOption):
            chosen(given, **more)
        return
    with pytest.raises(error) as caught:
        chosen(given, **more)
    assert says in str(caught.value)


def test_a_pattern_without_files_is_said() -> None:
    """Rules are looked for as they are without an app."""
    with pytest.raises(RulesMissing):
        chosen(AppOptions("http://h"), "no/such/*.yml")


def test_the_plan_reaches_every_process(tmp_path: Path) -> None:
    """A plan with an app survives its way to the supervisor, and its parts read the app from their environment."""
    app = OwnApp(url="http://h:1", control="http://h:2", traffic=(AppRequest(method="GET", path="/"),))
    given = plan(tmp_path, app)
    assert plan_from_json(given.to_json()).app == app
    rows = {row.name: row for row in wanted(COMPONENTS, given)}
    assert {"conductor", "traffic", "prometheus", "alertmanager", "panel"} <= set(rows)
    assert not {"service", "node"} & set(rows)
    environment = child_environment(rows["conductor"], given)
    assert app_from_environment(environment) == app
    without = plan(tmp_path, None)
    rows = {row.name: row for row in wanted(COMPONENTS, without)}
    assert app_from_environment(child_environment(rows["service"], without)) is None
    assert child_environment(rows["service"], without)[VARIABLE] == "", "nothing of an outer stack gets through"


def test_traffic_is_sent_only_where_it_was_named(tmp_path: Path) -> None:
    """Nobody's app gets requests that nobody asked for."""
    bare = OwnApp(url="http://h:1", control="http://h:2")
    named = bare.model_copy(update={"traffic": (AppRequest(method="GET", path="/"),)})
    assert commands.traffic_environment(plan(tmp_path, bare)) == {"FIREDRILL_TRAFFIC_RATE": "0"}
    assert commands.traffic_environment(plan(tmp_path, named)) == {"FIREDRILL_TRAFFIC_RATE": "5"}


def test_prometheus_sees_the_app_the_faults_and_the_users_rules_alone(tmp_path: Path) -> None:
    """Two jobs and no rule of Firedrill's, at the pace of the stack; Alertmanager tells the conductor."""
    app = OwnApp(
        url="http://127.0.0.1:8010/shop", control="http://127.0.0.1:8600", job="shop", rules=(rules_file(tmp_path),)
    )
    given = plan(tmp_path, app)
    stale = given.home.run / "rules" / "errors.yml"
    stale.parent.mkdir(parents=True)
    stale.write_text("groups: []")
    write_configuration(given)
    path = given.home.run / "prometheus.yml"
    promtool.check_config(path)
    config = yaml.safe_load(path.read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert jobs["shop"]["metrics_path"] == "/shop/metrics"
    assert jobs["shop"]["static_configs"] == [{"targets": ["127.0.0.1:8010"]}]
    assert jobs["firedrill"]["authorization"]["credentials_file"] == str(given.home.token_file)
    assert set(jobs) == {"shop", "firedrill"}
    (rules,) = config["rule_files"]
    assert not stale.exists()
    groups = yaml.safe_load(Path(rules).read_text())["groups"]
    assert [rule.get("alert") or rule["record"] for rule in groups[0]["rules"]] == [
        "shop:errors:ratio",
        "ShopErrors",
        "ShopGone",
    ]
    assert "[20s]" in groups[0]["rules"][0]["expr"]
    alertmanager = yaml.safe_load((given.home.run / "alertmanager.yml").read_text())
    assert alertmanager["receivers"][0]["webhook_configs"][0]["url"].startswith(given.endpoints.url("conductor"))
    assert str(given.home.data / "app" / "shop") in " ".join(commands.prometheus(given))
    assert str(given.home.data / "app") not in " ".join(commands.prometheus(plan(tmp_path, None)))


@pytest.mark.parametrize(
    ("text", "pace", "error"),
    [
        ("groups: [{name: a, rules: [{alert: A, expr: 'up ='}]}]", PRODUCTION, RuleRefused),
        ("groups: [{name: a, rules: [{alert: A, expr: 'predict_linear(x[1h], 60) < 0'}]}]", WORKSHOP, RuleRefused),
        ("groups: 3", WORKSHOP, BadRuleFile),
    ],
)
def test_a_rule_that_cannot_be_used_stops_the_start(
    tmp_path: Path, text: str, pace: Pace, error: type[Exception]
) -> None:
    """As with rules beside the service: promtool's word, or what has no counterpart at this pace."""
    app = OwnApp(url="http://h:1", control="http://h:2", rules=(rules_file(tmp_path, text),))
    with pytest.raises(error):
        render_app(plan(tmp_path, app, pace))


def test_an_app_that_is_right_is_passed(tmp_path: Path) -> None:
    """Declared families count as shown, and so do what rules record and what Prometheus writes itself."""
    with site(SHOP) as url, site(CONTROL, token=TOKEN) as control:
        app = OwnApp(url=url, control=control, rules=(rules_file(tmp_path),))
        assert check_app(app, TOKEN, "/home") == ()


def test_a_rule_about_a_series_that_the_app_lacks_is_a_warning(tmp_path: Path) -> None:
    """It may come with the first order; whoever misspelt it is told which alert and which series."""
    text = RULES.replace("shop_errors_total", "shop_eror_total")
    with site(SHOP) as url, site(CONTROL, token=TOKEN) as control:
        (warning,) = check_app(OwnApp(url=url, control=control, rules=(rules_file(tmp_path, text),)), TOKEN, "/home")
        assert warning == f"shop:errors:ratio reads shop_eror_total, which {url}/metrics does not show (yet)"
        (none,) = check_app(OwnApp(url=url, control=control), TOKEN, "/home")
        assert "no alert can ring" in none


@pytest.mark.parametrize(
    ("shop", "control", "error", "says"),
    [
        (None, CONTROL, AppUnreachable, "start your app first"),
        ({}, CONTROL, AppMetricsUnusable, "it answers 404"),
        ({"/metrics": (200, "<html>hello</html>")}, CONTROL, AppMetricsUnusable, "--app-metrics"),
        ({"/metrics": (200, "")}, CONTROL, AppMetricsUnusable, "no series"),
        (SHOP, None, ControlNotAttached, "FIREDRILL_FAULTS=on"),
        (SHOP, {"/health": (200, "fine")}, ControlNotAttached, "something else answers there"),
        (SHOP, {"/health": (404, '{"detail": "Not Found"}')}, ControlNotAttached, "404 to /health"),
        (SHOP, CONTROL, ControlTokenRefused, "FIREDRILL_HOME=/home"),
    ],
)
def test_an_app_that_is_wrong_is_told_how(
    shop: Pages | None, control: Pages | None, error: type[OwnError], says: str
) -> None:
    """Each of the ways in which no drill could ever work stops the start, with what to do about it."""
    with site(shop or {}) as shop_url, site(control or {}, token="another") as control_url:  # noqa: S106 - a test's
        app = OwnApp(url=nobody() if shop is None else shop_url, control=nobody() if control is None else control_url)
        with pytest.raises(error) as caught:
            check_app(app, TOKEN, "/home")
    assert says in str(caught.value)
    assert "nothing was started" in str(caught.value)


def test_an_endpoint_that_waits_for_its_token_is_one(tmp_path: Path) -> None:
    """An app that was started before there was a home answers 401 everywhere: attached, with another home."""
    refused = {"/health": (401, json.dumps({"error": {"type": "no_token"}}))}
    with site(SHOP) as url, site(refused) as control, pytest.raises(ControlTokenRefused):
        check_app(OwnApp(url=url, control=control), TOKEN, str(tmp_path))
