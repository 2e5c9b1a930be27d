"""``firedrill fault``: list, light and put out faults of the running stack."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer
from pydantic import JsonValue, ValidationError
from rich.markup import escape
from rich.table import Table

from faults.base import MAX_TTL_S, FaultKind, FaultRecord, FaultRequest, Target
from faults.drills.wire import ResetProof
from panel.commands.console import OUT, AsJson, CommandError, actor, conductor, seconds
from stack.rules.durations import parse_duration
from stack.rules.errors import BadDuration

app = typer.Typer(help="Light faults and put them out.", no_args_is_help=True)


@app.command()
def kinds(as_json: AsJson = False) -> None:
    """Show every kind of fault with its parameters."""
    known = conductor().kinds()
    if as_json:
        OUT.print_json(json.dumps([kind.model_dump(mode="json", by_alias=True) for kind in known]))
        return
    for kind in known:
        OUT.print(
            f"[bold]{kind.kind}[/]  {kind.summary}"
            + ("" if kind.available else f" [red](unavailable: {escape(kind.unavailable_because or '')})[/]")
        )
        table = Table(box=None, padding=(0, 2), show_header=False)
        properties = kind.schema_.get("properties")
        for name, facts in (properties if isinstance(properties, dict) else {}).items():
            table.add_row("", f"[cyan]{name}[/]", *_parameter(facts))
        OUT.print(table)
        if kind.presets:
            OUT.print(f"    presets: {', '.join(kind.presets)}", style="dim")
        if limited := _limits(kind):
            OUT.print(f"    the operator's limits: {escape(limited)}", style="yellow")
        OUT.print()


def _limits(kind: FaultKind) -> str:
    """Return what the operator allows of a kind beyond its parameters' bounds, in words; empty where all is allowed."""
    words = [
        f"at most {seconds(kind.max_ttl_s)}" if kind.max_ttl_s < MAX_TTL_S else "",
        f"probability up to {kind.max_probability:g}" if kind.max_probability < 1.0 else "",
        "" if kind.allowed_models is None else f"models: {', '.join(kind.allowed_models) or 'none'}",
        "" if kind.allowed_endpoints is None else f"endpoints: {', '.join(kind.allowed_endpoints) or 'none'}",
    ]
    return "; ".join(filter(None, words))


def _parameter(schema: JsonValue) -> tuple[str, str]:
    """Return what a parameter takes and what it means, in words."""
    if not isinstance(schema, dict):
        return "", ""
    options = schema.get("enum")
    if isinstance(options, list):
        takes = " | ".join(str(option) for option in options)
    else:
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        takes = f"{low} … {high}" if low is not None or high is not None else str(schema.get("type", ""))
    default = f" [dim](default {schema['default']})[/]" if "default" in schema else ""
    return takes + default, str(schema.get("description", ""))


@app.command("list")
def list_faults(as_json: AsJson = False) -> None:
    """Show active faults, and those that ended lately."""
    records = conductor().faults()
    if as_json:
        OUT.print_json(json.dumps([record.model_dump(mode="json") for record in records]))
        return
    if not records:
        OUT.print("no fault is active")
        return
    OUT.print(_table(records))


def _table(records: list[FaultRecord]) -> Table:
    """Draw faults as a table."""
    table = Table("id", "kind", "state", "left", "hit", "target", "parameters")
    now = time.time()
    for record in records:
        active = record.state == "active"
        table.add_row(
            record.id,
            record.kind,
            "[bold red]active[/]" if active else (record.end_reason or "ended").replace("_", " "),
            seconds(max(0.0, record.ends_at - now)) if active else "–",
            f"{record.injections} calls",
            " ".join(filter(None, (record.target.model, record.target.endpoint))) or "all",
            " ".join(f"{name}={value}" for name, value in record.parameters.items()),
        )
    return table


@app.command()
def on(
    kind: Annotated[str, typer.Argument(help="A kind from `firedrill fault kinds`.")],
    parameters: Annotated[list[str] | None, typer.Argument(help="name=value …", metavar="NAME=VALUE")] = None,
    ttl: Annotated[
        str, typer.Option(help="Time to live, in real time, such as 90s or 2m; the fault then ends by itself.")
    ] = "60s",
    probability: Annotated[float, typer.Option(help="Share of the calls that are hit, above 0 up to 1.")] = 1.0,
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Only this path or glob.")] = None,
    preset: Annotated[str | None, typer.Option(help="Start from a preset of the kind.")] = None,
    ramp: Annotated[
        str, typer.Option(help="Time, such as 5m, in which the probability rises evenly from nothing.")
    ] = "0",
    seed: Annotated[int | None, typer.Option(help="Seed of every random decision.")] = None,
    as_json: AsJson = False,
) -> None:
    """Light a fault."""
    client = conductor()
    values: dict[str, JsonValue] = {}
    if preset is not None:
        presets = {name: found for each in client.kinds() if each.kind == kind for name, found in each.presets.items()}
        if preset not in presets:
            raise CommandError(f"{kind!r} has no preset {preset!r}; it has: {', '.join(presets) or 'none'}")
        values |= presets[preset].parameters
        probability = presets[preset].probability if probability == 1.0 else probability
    values |= dict(_value(text) for text in parameters or [])
    try:
        request = FaultRequest(
            kind=kind,
            parameters=values,
            target=Target(model=model, endpoint=endpoint),
            probability=probability,
            ttl_s=_duration("ttl", ttl),
            ramp_s=_duration("ramp", ramp),
            seed=seed,
        )
    except ValidationError as problem:
        raise CommandError("; ".join(f"--{item['loc'][0]}: {item['msg']}" for item in problem.errors())) from None
    record = client.light(request, actor=actor())
    if as_json:
        OUT.print_json(record.model_dump_json())
    else:
        OUT.print(f"[bold red]{record.kind}[/] is active as {record.id}; it ends by itself in {seconds(record.ttl_s)}")


def _duration(option: str, text: str) -> float:
    """Return the seconds that an option's value stands for."""
    try:
        return parse_duration(text)
    except BadDuration as problem:
        raise CommandError(f"--{option}: {problem}") from None


def _value(text: str) -> tuple[str, JsonValue]:
    """Split ``name=value``; the value is read as JSON where it is JSON, else it is a string."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CommandError(f"{text!r} is not name=value")
    try:
        parsed: JsonValue = json.loads(value)
    except json.JSONDecodeError:
        parsed = value
    return name, parsed


@app.command()
def off(
    fault_id: Annotated[str, typer.Argument(help="An id from `firedrill fault list`.")], as_json: AsJson = False
) -> None:
    """Put one fault out."""
    record = conductor().put_out(fault_id, actor=actor())
    if as_json:
        OUT.print_json(record.model_dump_json())
    else:
        OUT.print(
            f"{record.kind} {record.id}: {(record.end_reason or record.state).replace('_', ' ')}, "
            f"it hit {record.injections} calls"
        )


@app.command()
def reset(as_json: AsJson = False) -> None:
    """Put every fault out and prove it from counters; exit status 1 where that cannot be proved."""
    proof = conductor().reset(actor=actor())
    if as_json:
        OUT.print_json(proof.model_dump_json())
    else:
        _show(proof)
    raise typer.Exit(0 if proof.proven else 1)


def _show(proof: ResetProof) -> None:
    """Print what was burning, what was looked at, and what it proves."""
    if proof.ended:
        OUT.print(_table(proof.ended))
    else:
        OUT.print("nothing was burning")
    for check in proof.checks:
        sign = "[green]yes[/]" if check.holds else "[bold red]no [/]"
        OUT.print(f"  {sign} {escape(check.what)}: {escape(check.detail)}", highlight=False)
    if proof.proven:
        OUT.print(f"[green]proven[/] in {proof.took_s:.1f} s: everything is out")
    else:
        OUT.print("[bold red]not proven[/]: " + escape("; ".join(proof.because)), highlight=False)
