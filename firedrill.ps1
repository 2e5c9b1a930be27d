<#
.SYNOPSIS
Starts, shows and stops Firedrill on Windows, in containers.

.DESCRIPTION
Needs Docker Desktop with Linux containers (Docker Compose 2.20 or newer), and nothing else: no Python, no make.
Everything listens on 127.0.0.1 only. On Linux and macOS use ./firedrill instead, which can also do without Docker.

.EXAMPLE
.\firedrill.ps1 up
Builds what is missing, starts all components and waits until they are ready.

.EXAMPLE
.\firedrill.ps1 up -Pace production -NoTraffic -With loki,mlflow

.EXAMPLE
.\firedrill.ps1 logs service -Follow

.EXAMPLE
.\firedrill.ps1 down -DeleteData
#>
[CmdletBinding()]
param(
    [Parameter(Position = 0)]
    [ValidateSet('up', 'down', 'status', 'logs', 'help')]
    [string] $Command = 'help',

    # For logs: one component, such as service or prometheus; all where none is named.
    [Parameter(Position = 1)]
    [string] $Component = '',

    # For up: how fast rules and scrapes go.
    [ValidateSet('workshop', 'production')]
    [string] $Pace = 'workshop',

    # For up: components that are not started otherwise.
    [ValidateSet('loki', 'mlflow')]
    [string[]] $With = @(),

    # For up: no background traffic.
    [switch] $NoTraffic,

    # For logs: how many of the last lines, and whether to go on.
    [ValidateRange(0, 100000)]
    [int] $Tail = 200,
    [switch] $Follow,

    # For down: delete recorded metrics, dashboards' state, the journal and models as well.
    [switch] $DeleteData
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$Root = $PSScriptRoot
$Parts = @('service', 'conductor', 'panel', 'traffic', 'prometheus', 'alertmanager', 'jaeger', 'node', 'grafana')
$Optional = @('loki', 'mlflow')

function Stop-WithMessage {
    param([string] $Message)
    [Console]::Error.WriteLine("firedrill: $Message")
    exit 2
}

function Test-Docker {
    param([string[]] $Arguments)
    # Windows PowerShell makes an error of whatever a program writes to standard error, unless it is told not to.
    $ErrorActionPreference = 'Continue'
    & docker @Arguments *> $null
    return ($LASTEXITCODE -eq 0)
}

function Assert-Docker {
    if (-not (Get-Command -Name docker -ErrorAction SilentlyContinue)) {
        Stop-WithMessage 'docker is not on PATH. Install Docker Desktop and open a new terminal.'
    }
    if (-not (Test-Docker @('compose', 'version'))) {
        Stop-WithMessage 'this docker has no "compose" command. Update Docker Desktop.'
    }
    if (-not (Test-Docker @('version', '--format', '{{.Server.Version}}'))) {
        Stop-WithMessage 'no Docker engine answers. Start Docker Desktop, wait until it says that it runs, and try again.'
    }
}

function Invoke-Compose {
    param([string[]] $Arguments)
    # Optional components are always named, so that status, logs and down see those that an earlier up has started.
    $names = if ($Arguments[0] -eq 'up') { $With } else { $Optional }
    $profiles = @()
    foreach ($name in $names) { $profiles += @('--profile', $name) }
    $file = Join-Path $Root 'docker-compose.yml'
    $ErrorActionPreference = 'Continue'
    & docker compose --project-directory $Root --file $file @profiles @Arguments
    if ($LASTEXITCODE -ne 0) {
        Stop-WithMessage "docker compose $($Arguments[0]) failed; its own words stand above. Next: .\firedrill.ps1 logs"
    }
}

function Start-Stack {
    $env:FIREDRILL_PACE = $Pace
    # Prometheus's own timers go at the pace of the rules; the Compose file has those of the workshop.
    if ($Pace -eq 'production') {
        $env:FIREDRILL_INTERVAL = '15s'
        $env:FIREDRILL_LOOKBACK = '300s'
        $env:FIREDRILL_RESEND_DELAY = '60s'
        $env:FIREDRILL_FOR_GRACE_PERIOD = '600s'
        $env:FIREDRILL_FOR_OUTAGE_TOLERANCE = '3600s'
    }
    if ($NoTraffic) { $env:FIREDRILL_TRAFFIC_RATE = '0' }
    if ($With -contains 'loki') { $env:FIREDRILL_LOGS_EXPORTER = 'otlp' }
    # What Prometheus scrapes and Grafana asks.
    $env:FIREDRILL_PARTS = (@($Parts) + @($With)) -join ','
    Write-Host 'Building and starting; the first time takes several minutes and some gigabytes.'
    Invoke-Compose @('up', '--build', '--detach', '--wait')
    Show-Addresses
}

function Show-Addresses {
    $addresses = [ordered] @{
        'Panel'        = 'http://127.0.0.1:8501/'
        'Service'      = 'http://127.0.0.1:8000/docs'
        'Prometheus'   = 'http://127.0.0.1:9090/'
        'Alertmanager' = 'http://127.0.0.1:9093/'
        'Grafana'      = 'http://127.0.0.1:3000/'
        'Jaeger'       = 'http://127.0.0.1:16686/'
    }
    foreach ($name in $addresses.Keys) { Write-Host ('{0,-14}{1}' -f $name, $addresses[$name]) }
}

if ($Command -eq 'help') {
    Get-Help $PSCommandPath -Detailed
    exit 0
}

Assert-Docker
switch ($Command) {
    'up' { Start-Stack }
    'status' { Invoke-Compose @('ps', '--all') }
    'down' {
        $arguments = @('down', '--remove-orphans')
        if ($DeleteData) { $arguments += '--volumes' }
        Invoke-Compose $arguments
    }
    'logs' {
        $arguments = @('logs', '--timestamps', '--tail', "$Tail")
        if ($Follow) { $arguments += '--follow' }
        if ($Component) { $arguments += $Component }
        Invoke-Compose $arguments
    }
}
