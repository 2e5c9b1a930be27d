"""The Prometheus client against a real Prometheus that scrapes a real target and evaluates real rules."""

from __future__ import annotations

import itertools
import json
import math
import threading
import time
from collections.abc import Iterator

import pytest

from stack.clients.prometheus import PrometheusClient
from stack.errors import QueryRefused, SourceError, SourceUnreachable
from tests.realprom import Running, answering, free_port, running_prometheus

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("prometheus")]

EXPOSITION = b"""# TYPE demo_seconds histogram
demo_seconds_bucket{le="1.0"} 3 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.5 %d
demo_seconds_bucket{le="+Inf"} 4
demo_seconds_count 4
demo_seconds_sum 9.5
# TYPE demo_level gauge
demo_level{kind="a"} 1
demo_level{kind="b"} NaN
demo_level{kind="c"} +Inf
# EOF
"""
RULES = """
groups:
  - name: demo
    rules:
      - {alert: Burning, expr: demo_level == 1, labels: {severity: warning}, annotations: {summary: it burns}}
      - {alert: Smoking, expr: demo_level == 1, for: 1h, keep_firing_for: 5m}
      - {alert: Quiet, expr: demo_level == 99}
      - {record: demo:level, expr: demo_level}
"""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run a Prometheus that has scraped and evaluated a few times."""
    folder = tmp_path_factory.mktemp("prometheus")
    rules = folder / "rules.yml"
    rules.write_text(RULES, encoding="utf-8")
    body = EXPOSITION % int(time.time())
    content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    dead = f"127.0.0.1:{free_port()}"
    with (
        answering(body, content_type=content_type) as target,
        running_prometheus(folder, rules=[rules], scrapes={"demo": [target.address], "dead": [dead]}) as running,
        PrometheusClient(running.url) as client,
    ):
        firing = 'count_over_time(ALERTS{alertname="Burning", alertstate="firing"}[1m]) >= 2'
        running.wait_for(lambda: bool(client.query(firing)), "Burning fires in two evaluations")
        running.wait_for(lambda: all(t.last_scrape for t in client.targets()), "every target was scraped")
        yield running


@pytest.fixture
def client(prometheus: Running) -> Iterator[PrometheusClient]:
    """Return a client of it."""
    with PrometheusClient(prometheus.url) as client:
        yield client


def test_a_vector_has_labels_time_and_every_kind_of_number(client: PrometheusClient) -> None:
    """Finite values, NaN and infinity come through, at the time asked for."""
    now = time.time()
    samples = {sample.labels["kind"]: sample for sample in client.query("demo_level", at=now)}
    assert samples["a"].value == 1.0
    assert math.isnan(samples["b"].value)
    assert samples["c"].value == math.inf
    assert samples["a"].time == pytest.approx(now, abs=0.001)


def test_a_scalar_is_one_sample_without_labels(client: PrometheusClient) -> None:
    """`time()` needs no series."""
    (sample,) = client.query("time()", at=1000.5)
    assert (sample.labels, sample.value) == ({}, 1000.5)


def test_nothing_is_an_empty_answer(client: PrometheusClient) -> None:
    """A series that does not exist is no error."""
    assert client.query("no_such_series") == ()
    assert client.query_range("no_such_series", time.time() - 10, time.time(), 1.0) == ()


def test_a_range_has_one_point_per_step(client: PrometheusClient) -> None:
    """Both ends are included."""
    (series,) = client.query_range("vector(2)", 1000.0, 1010.0, 2.5)
    assert series.points == ((1000.0, 2.0), (1002.5, 2.0), (1005.0, 2.0), (1007.5, 2.0), (1010.0, 2.0))


def test_raw_samples_carry_their_true_times(client: PrometheusClient) -> None:
    """ALERTS is written at the evaluations, an interval of a second apart, and not at the time of asking."""
    (series,) = client.raw('ALERTS{alertname="Burning", alertstate="firing"}[60s]', time.time())
    times = [at for at, _ in series.points]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert series.labels["alertname"] == "Burning"
    assert gaps
    assert all(round(gap) == gap for gap in [round(gap, 2) for gap in gaps])


def test_rules_tell_their_state_and_their_instances(client: PrometheusClient) -> None:
    """One fires, one waits for its hour, one is quiet; recordings are not alerts."""
    burning, smoking, quiet = client.rules()
    assert (burning.name, burning.state, burning.health, burning.last_error) == ("Burning", "firing", "ok", "")
    assert (burning.labels, burning.annotations) == ({"severity": "warning"}, {"summary": "it burns"})
    assert (burning.group, burning.interval_s, burning.expr) == ("demo", 1.0, "demo_level == 1")
    assert (smoking.state, smoking.for_s, smoking.keep_firing_for_s) == ("pending", 3600.0, 300.0)
    (instance,) = smoking.alerts
    assert (instance.state, instance.value, instance.labels["kind"]) == ("pending", 1.0, "a")
    assert smoking.evaluated_at is not None
    assert time.time() - 60 < instance.active_at <= smoking.evaluated_at
    assert (quiet.state, quiet.alerts) == ("inactive", ())


def test_recordings_are_told_with_their_expressions(client: PrometheusClient) -> None:
    """And alerts are not among them."""
    assert client.recordings() == (("demo:level", "demo_level"),)


def test_targets_tell_what_went_wrong(client: PrometheusClient) -> None:
    """The target that nobody serves is down, with the reason."""
    targets = {target.job: target for target in client.targets()}
    assert (targets["demo"].health, targets["demo"].last_error) == ("up", "")
    assert targets["dead"].health == "down"
    assert "refused" in targets["dead"].last_error


def test_exemplars_name_their_trace(client: PrometheusClient) -> None:
    """The trace id of the exposition arrives."""
    now = time.time()
    (exemplar, *_) = client.exemplars("demo_seconds_bucket", now - 60, now + 60)
    assert exemplar.labels["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert (exemplar.value, exemplar.series["job"]) == (0.5, "demo")


def test_types_are_those_that_targets_say(client: PrometheusClient) -> None:
    """By the name of the metric; what was recorded by a rule has none."""
    types = client.types()
    assert types["demo_level"] == "gauge"
    assert "demo:level" not in types


def test_flags_and_version_are_read(client: PrometheusClient) -> None:
    """A look-back that was not set is Prometheus's own."""
    assert client.flags()["query.lookback-delta"] == "5m"
    assert int(client.build_version().split(".")[0]) >= 2
    assert client.ready()
    assert 0.0 <= time.time() - client.started_at() < 3600.0


@pytest.mark.parametrize("ask", ["query", "query_range", "raw"])
def test_a_bad_expression_is_refused_with_the_reason(client: PrometheusClient, ask: str) -> None:
    """The error carries the expression and Prometheus's own words."""
    rest: dict[str, tuple[float, ...]] = {"query": (), "query_range": (0.0, 1.0, 1.0), "raw": (1.0,)}
    with pytest.raises(QueryRefused, match="parse error") as refused:
        getattr(client, ask)("sum(", *rest[ask])
    assert refused.value.query == "sum("


def test_the_wrong_kind_of_expression_is_refused(client: PrometheusClient) -> None:
    """A vector is no range selector, and a range selector no vector."""
    with pytest.raises(QueryRefused, match="not a range selector"):
        client.raw("demo_level", time.time())
    with pytest.raises(QueryRefused, match="not a vector"):
        client.query("demo_level[1m]")
    with pytest.raises(QueryRefused, match="it is a string"):
        client.query('"text"')


def test_threads_share_a_client(client: PrometheusClient) -> None:
    """Eight threads at once get eight answers."""
    answers: list[float] = []
    threads = [
        threading.Thread(target=lambda number=number: answers.append(client.query(f"vector({number})")[0].value))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [float(number) for number in range(8)]


def test_nobody_there_is_unreachable() -> None:
    """The error names the source, the address and what to do."""
    url = f"http://127.0.0.1:{free_port()}"
    with PrometheusClient(url) as client:
        assert not client.ready()
        with pytest.raises(SourceUnreachable, match=f"Prometheus is unreachable at {url}.*firedrill up"):
            client.query("up")


def test_no_answer_in_time_is_unreachable() -> None:
    """A Prometheus that hangs does not hang its client."""
    with answering(b"{}", delay_s=0.5) as slow, PrometheusClient(slow.url, timeout_s=0.1) as client:
        with pytest.raises(SourceUnreachable, match="no answer in time"):
            client.query("up")
        assert not client.ready()


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_error_page_of_a_gateway_is_unreachable(status: int) -> None:
    """So answers a Prometheus that still replays its log, or a proxy before one."""
    server = answering(b"<h1>Service Unavailable</h1>", status=status, content_type="text/html")
    with server as page, PrometheusClient(page.url) as client:
        with pytest.raises(SourceUnreachable, match=f"answers {status}"):
            client.rules()
        assert not client.ready()


def test_a_timed_out_query_is_refused_and_not_unreachable() -> None:
    """Prometheus says so with status 503 and a JSON body."""
    body = json.dumps({"status": "error", "errorType": "timeout", "error": "query timed out"}).encode()
    server = answering(body, status=503, content_type="application/json")
    with server as busy, PrometheusClient(busy.url) as client, pytest.raises(QueryRefused, match="query timed out"):
        client.query("up")


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Hello</body></html>",
        b"",
        b"\xff\xfe\x00",
        b"[]",
        b'{"status":"success"}',
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"x"]}]}}',
        b'{"status":"success","data":{"resultType":"new","result":[]}}',
        b'{"status":"success","data":{"resultType":"vec',
    ],
)
def test_an_answer_that_no_prometheus_gives_is_a_source_error(body: bytes) -> None:
    """Whatever listens there instead, its words reach the reader and not a traceback."""
    with (
        answering(body) as other,
        PrometheusClient(other.url) as client,
        pytest.raises(SourceError, match="unexpected"),
    ):
        client.query("up")


def test_a_server_error_of_something_else_is_a_source_error() -> None:
    """Status 500 with a page shows the beginning of the page."""
    server = answering(b"<h1>Oops</h1>", status=500, content_type="text/html")
    with server as other, PrometheusClient(other.url) as client, pytest.raises(SourceError, match=r"status 500.*Oops"):
        client.targets()
