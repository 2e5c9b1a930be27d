"""What a dashboard's file asks for that is not drawn: everything that stands in it is held against what is known here.

Nothing of a file is passed over in silence: a key is either drawn, or changes nothing that is seen, or is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from pydantic import JsonValue

from panel.dashboards import colors, units
from panel.dashboards.board import DRAWN

_EVERY_PANEL = """
id gridPos.x gridPos.y gridPos.w gridPos.h title description type pluginVersion transparent datasource.* maxDataPoints
cacheTimeout datasource hideTimeOverride error span editable
fieldConfig.defaults.unit fieldConfig.defaults.decimals fieldConfig.defaults.min fieldConfig.defaults.max
fieldConfig.defaults.noValue fieldConfig.defaults.color.mode=thresholds|palette-classic|palette-classic-by-name|fixed
fieldConfig.defaults.color.fixedColor fieldConfig.defaults.color.seriesBy=last
fieldConfig.defaults.thresholds.mode=absolute|percentage
fieldConfig.defaults.thresholds.steps.color fieldConfig.defaults.thresholds.steps.value
fieldConfig.defaults.mappings.type=value|range|special fieldConfig.defaults.mappings.options.*.color
fieldConfig.defaults.mappings.options.*.text fieldConfig.defaults.mappings.options.*.index
fieldConfig.defaults.mappings.options.from fieldConfig.defaults.mappings.options.to
fieldConfig.defaults.mappings.options.match=null|nan|null+nan
fieldConfig.overrides.matcher.id=byName|byRegexp|byFrameRefID fieldConfig.overrides.matcher.options
fieldConfig.overrides.properties.id=unit|decimals|min|max|thresholds|mappings|noValue|color|displayName
fieldConfig.overrides.properties.value fieldConfig.overrides.properties.value.*
fieldConfig.defaults.custom.hideFrom.* fieldConfig.defaults.custom.axisSoftMin fieldConfig.defaults.custom.axisSoftMax
targets.refId targets.expr targets.legendFormat targets.instant targets.range targets.exemplar targets.hide
targets.editorMode targets.datasource.* targets.datasource targets.intervalFactor targets.useBackend
targets.fullMetaSearch targets.disableTextWrap targets.includeNullMetadata targets.format=time_series|table|heatmap
targets.adhocFilters targets.queryType=|range|instant
options.tooltip.* options.reduceOptions.calcs=lastNotNull|last|mean|max|min|sum|first|firstNotNull|count|range
options.reduceOptions.fields= options.reduceOptions.values=false options.orientation=auto|horizontal|vertical|
options.legend.showLegend options.legend.displayMode=list|table|hidden options.legend.placement=bottom|right
options.legend.calcs=lastNotNull|last|mean|max|min|sum|first|firstNotNull|count|range
options.legend.sortBy options.legend.sortDesc options.legend.isVisible
options.minVizHeight options.minVizWidth options.maxVizHeight options.sizing=auto|manual options.text.*
"""
_BY_KIND: Mapping[str, str] = {
    "timeseries": """
fieldConfig.defaults.custom.axisBorderShow fieldConfig.defaults.custom.axisCenteredZero=false
fieldConfig.defaults.custom.axisColorMode=text fieldConfig.defaults.custom.axisLabel
fieldConfig.defaults.custom.axisPlacement=auto|left|right fieldConfig.defaults.custom.axisGridShow=true
fieldConfig.defaults.custom.barAlignment fieldConfig.defaults.custom.barWidthFactor
fieldConfig.defaults.custom.drawStyle=line|bars|points
fieldConfig.defaults.custom.fillOpacity fieldConfig.defaults.custom.gradientMode=none|opacity
fieldConfig.defaults.custom.insertNulls=false
fieldConfig.defaults.custom.lineInterpolation=linear|smooth|stepBefore|stepAfter fieldConfig.defaults.custom.lineWidth
fieldConfig.defaults.custom.lineStyle.fill=solid fieldConfig.defaults.custom.showValues=false
fieldConfig.defaults.custom.pointSize fieldConfig.defaults.custom.showPoints=never|auto|always
fieldConfig.defaults.custom.scaleDistribution.type=linear|log fieldConfig.defaults.custom.scaleDistribution.log
fieldConfig.defaults.custom.spanNulls fieldConfig.defaults.custom.stacking.group=A
fieldConfig.defaults.custom.stacking.mode=none|normal|percent
fieldConfig.defaults.custom.thresholdsStyle.mode=off|line|dashed|area|line+area|dashed+area
""",
    "stat": """
options.colorMode=value|background|background_solid|none options.graphMode=area|none options.justifyMode
options.percentChangeColorMode options.showPercentChange=false options.textMode=auto|value_and_name options.wideLayout
""",
    "gauge": "options.showThresholdLabels=false options.showThresholdMarkers=true",
    "bargauge": """
options.displayMode=gradient|basic|lcd options.namePlacement=auto|left|top options.showUnfilled=true
options.valueMode=color|text
""",
    "piechart": "options.pieType=pie|donut options.displayLabels=percent|name|value options.legend.values",
    "heatmap": """
fieldConfig.defaults.custom.scaleDistribution.type=linear options.calculate=false options.cellGap
options.cellValues.unit options.cellValues.decimals options.color.exponent options.color.fill
options.color.mode=scheme|opacity options.color.reverse=false options.color.scale options.color.scheme
options.color.steps options.exemplars.color options.filterValues.le options.legend.show options.rowsFrame.layout=auto
options.showValue=never|auto options.yAxis.axisPlacement=left|right options.yAxis.reverse=false options.yAxis.unit
options.yAxis.decimals
""",
    "table": """
fieldConfig.defaults.custom.align fieldConfig.defaults.custom.cellOptions.type=auto|color-text
fieldConfig.defaults.custom.filterable fieldConfig.defaults.custom.inspect options.cellHeight
options.enablePagination=false options.showHeader=true options.footer.* transformations.id=organize
transformations.options.excludeByName.* transformations.options.indexByName.* transformations.options.renameByName.*
transformations.options.includeByName.* options.frameIndex=0
""",
    "text": "options.content options.mode=markdown options.code.*",
    "row": "collapsed panels",
}
_BOARD = """
id uid title description tags refresh version schemaVersion iteration editable fiscalYearStartMonth graphTooltip liveNow
timezone time.* timepicker.* style weekStart gnetId preload panels __inputs __requires __elements
links annotations.list.builtIn annotations.list.datasource.* annotations.list.datasource annotations.list.enable
annotations.list.hide annotations.list.iconColor annotations.list.name annotations.list.target.* annotations.list.type
annotations.list.titleFormat annotations.list.filter.* templating.list.name templating.list.label templating.list.type
templating.list.query templating.list.query.* templating.list.current.* templating.list.multi templating.list.includeAll
templating.list.allValue templating.list.hide templating.list.options templating.list.refresh
templating.list.skipUrlSync
templating.list.sort templating.list.definition templating.list.datasource.* templating.list.datasource
templating.list.description templating.list.auto=false templating.list.auto_min templating.list.auto_count
"""
Leaf = tuple[tuple[str, ...], JsonValue]


def of_board(document: Mapping[str, JsonValue]) -> Iterator[str]:
    """Yield what the dashboard asks for, outside of its panels, that is not done here."""
    table = _read(_BOARD)
    for path, value in _leaves(dict(document)):
        if path[0] not in ("panels", "links") and not _meant(table, path, value):
            yield f"{'.'.join(path)} = {_short(value)}"


def of_panel(panel: Mapping[str, JsonValue]) -> Iterator[str]:
    """Yield what a panel asks for that is not drawn. A kind that is not drawn at all is said elsewhere."""
    kind = str(panel.get("type", ""))
    if kind not in DRAWN:
        return
    table = _read(_EVERY_PANEL + _BY_KIND[kind])
    seen: set[str] = set()
    for path, value in _leaves(dict(panel)):
        said = f"{'.'.join(path)} = {_short(value)}"
        if (_strange(path, value) or not _meant(table, path, value)) and said not in seen and path[0] != "panels":
            seen.add(said)
            yield said


def _strange(path: tuple[str, ...], value: JsonValue) -> bool:
    """Say whether a unit or a colour is not known, though its key is."""
    if path[-1] == "unit":
        return not units.known(str(value))
    return path[-1] == "color" and "exemplars" not in path and value != "" and not colors.known(str(value))


@cache
def _read(table: str) -> Mapping[tuple[str, ...], frozenset[str] | None]:
    """Return the paths of a table above, each with the values that are drawn; ``None`` where all are."""
    rows = (row.partition("=") for row in table.split())
    return {tuple(path.split(".")): frozenset(values.split("|")) if sign else None for path, sign, values in rows}


def _meant(table: Mapping[tuple[str, ...], frozenset[str] | None], path: tuple[str, ...], value: JsonValue) -> bool:
    """Say whether ``value`` at ``path`` is done as it says. Of what is not known, false and empty mean nothing."""
    if path in table:
        values = table[path]
        return values is None or _plain(value) in values
    return value is False or value == "" or any(_fits(known, path) for known in table if "*" in known)


def _fits(known: tuple[str, ...], path: tuple[str, ...]) -> bool:
    if known[-1] == "*" and len(path) >= len(known):
        path = path[: len(known)]
    return len(known) == len(path) and all(one in ("*", other) for one, other in zip(known, path, strict=True))


def _leaves(value: JsonValue, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield every value that says something, with its path; a list's elements have the list's path."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, (*path, key))
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, path)
    elif value is not None and path:
        yield path, value


def _plain(value: JsonValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _short(value: JsonValue) -> str:
    text = _plain(value)
    return text if len(text) <= 40 else text[:39] + "…"
