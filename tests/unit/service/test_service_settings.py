"""Settings: what the environment may say, and how a bad word is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from service_bench import Bench

from service.errors import BadSettings
from service.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read no .env but the test's own."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("PORT", "eighty", "valid integer"),
        ("MAX_QUEUE_SIZE", "0", "greater than or equal to 1"),
        ("REQUEST_TIMEOUT", "-1", "greater than 0"),
        ("LOG_FORMAT", "xml", "'json' or 'text'"),
        ("WORKERS", "17", "less than or equal to 1"),
        ("MODEL_NAME", "digits", "not among MODELS (iris, churn, housing, exchange-rate)"),
        ("MODEL_URIS", "iris=http://registry/iris", "models:/NAME/VERSION"),
        ("MODEL_URIS", "digits=models:/digits/1", "not among MODELS"),
        ("MODELS", "iris,iris", "names a model twice"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "https?://"),
    ],
)
def test_a_bad_setting_is_named_with_its_value_and_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, key: str, value: str, expected: str
) -> None:
    """The message has the key, the value and the expectation, so that nobody reads a traceback."""
    monkeypatch.setenv(key, value)
    with pytest.raises(BadSettings) as refused:
        load_settings()
    assert key in str(refused.value)
    assert value in str(refused.value)
    assert expected in str(refused.value)


def test_every_problem_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bad settings are two lines."""
    monkeypatch.setenv("PORT", "-1")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(BadSettings) as refused:
        load_settings()
    assert len(refused.value.problems) == 2


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """.env is read, and the environment overrides it; empty values count as unset."""
    (tmp_path / ".env").write_text("PORT=1234\nMODELS=churn\nMODEL_NAME=churn\nLOG_LEVEL=WARNING\n")
    monkeypatch.setenv("PORT", "4321")
    monkeypatch.setenv("MAX_ROWS", "")
    chosen = load_settings()
    assert (chosen.port, chosen.models, chosen.log_level) == (4321, ("churn",), "warning")
    assert chosen.max_rows == Settings().max_rows


def test_lists_are_separated_by_commas_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both spellings give the same list."""
    for text in ("http://a, http://b", '["http://a", "http://b"]'):
        monkeypatch.setenv("CORS_ORIGINS", text)
        assert load_settings().cors_origins == ("http://a", "http://b")


def test_a_model_without_a_profile_stops_the_start(make: Callable[..., Bench]) -> None:
    """The message names the setting and the known profiles."""
    with pytest.raises(BadSettings, match=r"MODELS='iris,nobody'.*known: churn, digits, exchange-rate, housing, iris"):
        make(models=("iris", "nobody"))
