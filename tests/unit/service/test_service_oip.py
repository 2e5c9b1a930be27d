"""The Open Inference Protocol: its routes, its tensors, its errors, and what is counted of it."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from service_bench import SETOSA, Bench

from service.errors import InvalidInput
from service.models.parts.pictures import PictureProfile
from service.models.profiles import profile_named
from service.tensors import DTYPES, Exchange
from tests.generated import examples

pytestmark = pytest.mark.anyio
FLOWER = [5.1, 3.5, 1.4, 0.2]
INFER = "/v2/models/iris/infer"
LENGTH = "inference-header-content-length"


def _tensor(**changes: Any) -> dict[str, Any]:
    return {"name": "features", "shape": [1, 4], "datatype": "FP64", "data": FLOWER, **changes}


def _outputs(answer: httpx.Response) -> dict[str, list[Any]]:
    assert answer.status_code == 200, answer.text
    return {output["name"]: output["data"] for output in answer.json()["outputs"]}


async def test_health_and_metadata(make: Callable[..., Bench]) -> None:
    """The server and each model say what they are, before and after the models are loaded."""
    bench = make(models=("iris", "housing"))
    async with bench.client() as client:
        server = (await client.get("/v2")).json()
        assert (server["name"], server["version"]) == ("firedrill-service", "0.1.0")
        assert server["extensions"] == ["binary_tensor_data", "model_repository"]
        assert (await client.get("/v2/health/live")).json() == {"live": True}
        assert (await client.get("/v2/health/ready")).json() == {"ready": True}
        iris = (await client.get("/v2/models/iris")).json()
        assert iris == (await client.get("/v2/models/iris/versions/1.0.0")).json()
        assert iris["versions"] == ["1.0.0"]
        assert iris["platform"] == "scikit_learn"
        assert iris["inputs"] == [{"name": "features", "datatype": "FP64", "shape": [-1, 4]}]
        assert [output["name"] for output in iris["outputs"]] == ["predictions", "classes", "confidence"]
        housing = (await client.get("/v2/models/housing")).json()
        assert housing["outputs"] == [{"name": "predictions", "datatype": "FP64", "shape": [-1]}]
        assert (await client.get("/v2/models/iris/ready")).json() == {"name": "iris", "ready": True}
        await bench.models.unload("iris")
        for path, status in (
            ("/v2/models/iris/ready", 503),
            ("/v2/models/iris/versions/1.0.0/ready", 503),
            ("/v2/models/housing/ready", 200),
            ("/v2/health/ready", 503),
            ("/v2/health/live", 200),
        ):
            answer = await client.get(path)
            assert answer.status_code == status
            assert answer.json().get("ready", True) is (status == 200)


async def test_inference_predicts_as_predict_does(make: Callable[..., Bench]) -> None:
    """The same numbers, the id given back, the version named; parameters are ignored."""
    bench = make()
    async with bench.client() as client:
        plain = (await client.post("/predict", json=SETOSA)).json()
        body = {"id": "a-1", "parameters": {"x": 1}, "inputs": [_tensor(parameters={"y": True})], "more": []}
        answer = await client.post(INFER, json=body)
    assert _outputs(answer) == {key: plain[key] for key in ("predictions", "classes", "confidence")}
    assert (answer.json()["id"], answer.json()["model_version"]) == ("a-1", "1.0.0")
    assert {"x-request-id", "x-trace-id"} <= set(answer.headers)


async def test_every_model_infers(make: Callable[..., Bench]) -> None:
    """Of each default profile two examples at once, as lists in lists; a regressor gives values alone."""
    bench = make()
    async with bench.client() as client:
        for name in bench.models.names:
            model = bench.models.loaded(name)
            assert model is not None
            rows = [list(row) for row in model.statistics.examples[:2]]
            tensor = _tensor(data=rows, shape=[2, len(rows[0])])
            body = {"inputs": [tensor]}
            outputs = _outputs(await client.post(f"/v2/models/{name}/infer", json=body))
            expected = model.predict(rows)
            assert outputs["predictions"] == pytest.approx(expected.values)
            assert ("classes" in outputs) is bool(model.classes)


async def test_only_the_outputs_asked_for_come(make: Callable[..., Bench]) -> None:
    """In the order asked; one that the model does not have is refused."""
    async with make().client() as client:
        body = {"inputs": [_tensor()], "outputs": [{"name": "confidence"}, {"name": "classes"}]}
        answer = await client.post(INFER, json=body)
        assert list(_outputs(answer)) == ["confidence", "classes"]
        body = {"inputs": [_tensor()], "outputs": [{"name": "logits"}]}
        assert (await client.post(INFER, json=body)).status_code == 422


async def test_it_is_traffic_and_traced_like_predict(make: Callable[..., Bench]) -> None:
    """Counted by its template, as a prediction of its model, in one server span with its stages."""
    bench = make()
    async with bench.client() as client:
        await client.post(INFER, json={"inputs": [_tensor()]})
        assert set(bench.spans()) == {
            *("POST /v2/models/{model}/infer", "preprocess", "queue", "model_prediction", "drift"),
        }
        await client.post("/v2/models/iris/versions/1.0.0/infer", json={"inputs": [_tensor(data=[1])]})
    model = {"model_name": "iris", "model_version": "1.0.0"}
    http = {"method": "POST", "endpoint": "/v2/models/{model}/infer"}
    assert bench.value("http_requests_total", status="200", **http) == 1
    assert bench.value("http_request_duration_seconds_count", status="200", **http) == 1
    assert bench.value("prediction_requests_total", **model) == 2
    assert bench.value("prediction_errors_total", error_type="invalid_input", **model) == 1
    assert bench.value("model_predictions_total", prediction_class="setosa", **model) == 1
    assert bench.value("model_feature_value", feature="petal_width", **model) == 0.2
    http["endpoint"] = "/v2/models/{model}/versions/{version}/infer"
    assert bench.value("http_errors_total", error_type="invalid_input", **http) == 1


BAD: list[tuple[Any, str]] = [
    ({}, "inputs"),
    ({"inputs": []}, "inputs"),
    ({"inputs": "x"}, "inputs"),
    ({"inputs": [_tensor(name="other")]}, "the model takes one tensor, 'features'"),
    ({"inputs": [_tensor(), _tensor()]}, "the model takes one tensor"),
    ({"inputs": [_tensor(datatype="FP128")]}, "'FP128' is none of"),
    ({"inputs": [_tensor(datatype="BYTES", data=["a"])]}, "is FP64, not BYTES"),
    ({"inputs": [_tensor(shape=[4])]}, "is [-1, 4], not [4]"),
    ({"inputs": [_tensor(shape=[1, 5], data=[1, 2, 3, 4, 5])]}, "is [-1, 4], not [1, 5]"),
    ({"inputs": [_tensor(shape=[0, 4], data=[])]}, "1 to 256 rows, not 0"),
    ({"inputs": [_tensor(shape=[257, 4], data=[0] * 1028)]}, "1 to 256 rows, not 257"),
    ({"inputs": [_tensor(shape=[-1, 4])]}, "shape[0]"),
    ({"inputs": [_tensor(data=[1, 2, 3])]}, "3 values do not fill the shape [1, 4]"),
    ({"inputs": [_tensor(data=[1, 2, 3, "4"])]}, "not all values are FP64"),
    ({"inputs": [_tensor(data=[1, 2, 3, None])]}, "not all values are FP64"),
    ({"inputs": [_tensor(data=[1, 2, 3, True])]}, "not all values are FP64"),
    ({"inputs": [_tensor(data=[1, 2, 3, 1e13])]}, "at most 1e+12 in magnitude"),
    ({"inputs": [_tensor(datatype="INT8", data=[1, 2, 3, 1.5])]}, "not all values are INT8"),
    ({"inputs": [_tensor(datatype="INT8", data=[1, 2, 3, 128])]}, "not all values fit into INT8"),
    ({"inputs": [_tensor(datatype="UINT8", data=[1, 2, 3, -1])]}, "not all values fit into UINT8"),
    ({"inputs": [_tensor(datatype="BOOL", data=[1, 0, 1, 0])]}, "not all values are BOOL"),
    ({"inputs": [_tensor(data=None)]}, "expected `data`, or a `binary_data_size`"),
    ({"inputs": [_tensor(data=None, parameters={"binary_data_size": 32})]}, "that the body has"),
    ({"inputs": [_tensor(data=None, parameters={"shared_memory_region": "x"})]}, "expected `data`"),
]


@pytest.mark.parametrize(("body", "expected"), BAD)
async def test_bad_tensors_are_refused(make: Callable[..., Bench], body: Any, expected: str) -> None:
    """422 in the protocol's shape, with what was expected; counted once."""
    bench = make(models=("iris",))
    async with bench.client() as client:
        answer = await client.post(INFER, json=body)
    assert answer.status_code == 422
    assert set(answer.json()) == {"error"}
    assert expected in answer.json()["error"]
    counted = {"model_name": "iris", "model_version": "1.0.0", "error_type": "invalid_input"}
    assert bench.value("prediction_errors_total", **counted) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b'{"inputs":[{"name":"features","data":[NaN]}]}', b"\xff" * 50])
async def test_what_is_no_json_is_refused(make: Callable[..., Bench], body: bytes) -> None:
    """422 as well."""
    async with make(models=("iris",)).client() as client:
        assert (await client.post(INFER, content=body)).status_code == 422


async def test_errors_have_the_protocols_shape(make: Callable[..., Bench]) -> None:
    """Unknown model, version, path and method, a body that is too large, a model that is not there or breaks."""
    bench = make(models=("iris",), max_body_bytes=500)
    async with bench.client() as client:

        async def expect(status: int, method: str, path: str, **options: Any) -> None:
            answer = await client.request(method, path, **options)
            assert answer.status_code == status
            assert list(answer.json()) == ["error"]
            assert isinstance(answer.json()["error"], str)

        body = {"inputs": [_tensor()]}
        await expect(404, "POST", "/v2/models/none/infer", json=body)
        await expect(404, "POST", "/v2/models/iris/versions/9/infer", json=body)
        await expect(404, "GET", "/v2/models/none")
        await expect(404, "GET", "/v2/models/none/ready")
        await expect(404, "GET", "/v2/nothing")
        await expect(405, "GET", INFER)
        await expect(413, "POST", INFER, content=b" " * 501)
        await bench.models.unload("iris")
        await expect(503, "POST", INFER, json=body)
        await bench.models.load("iris")

        async def broken(_stage: str, _call: object) -> None:
            raise RuntimeError("the stage broke")

        bench.seams.stages.append(broken)
        await expect(500, "POST", INFER, json=body)
        answer = await client.get("/nothing")
        assert set(answer.json()["error"]) == {"type", "message", "request_id"}


async def test_binary_tensors_go_in_and_out(make: Callable[..., Bench]) -> None:
    """Raw little-endian numbers behind the JSON; outputs come so where asked, strings with their lengths."""
    rows = np.array([FLOWER, [6.3, 3.3, 6.0, 2.5]], dtype="<f4")
    head = {
        "inputs": [_tensor(data=None, datatype="FP32", shape=[2, 4], parameters={"binary_data_size": rows.nbytes})],
        "parameters": {"binary_data_output": True},
        "outputs": [{"name": "confidence"}, {"name": "classes"}, {"name": "predictions"}],
    }
    head["outputs"][2]["parameters"] = {"binary_data": False}
    del head["inputs"][0]["data"]
    text = json.dumps(head).encode()
    async with make().client() as client:
        answer = await client.post(INFER, content=text + rows.tobytes(), headers={LENGTH: str(len(text))})
        assert answer.status_code == 200, answer.text
        for length in ("x", str(len(text) + 33), str(len(text) - 1), str(len(text) + 4), "-1"):
            bad = await client.post(INFER, content=text + rows.tobytes(), headers={LENGTH: length})
            assert bad.status_code == 422
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers[LENGTH])
    confidence, classes, predictions = json.loads(answer.content[:length])["outputs"]
    raw = answer.content[length:]
    assert predictions["data"] == [0, 2]
    assert confidence["parameters"] == {"binary_data_size": 16}
    assert np.all(np.frombuffer(raw[:16], "<f8") > 0.9)
    assert raw[16:] == b"".join(struct.pack("<I", len(name)) + name for name in (b"setosa", b"virginica"))
    assert classes["parameters"] == {"binary_data_size": len(raw) - 16}


@given(
    st.sampled_from([name for name in DTYPES if name != "FP16"]),
    st.lists(st.integers(0, 1), min_size=4, max_size=12).filter(lambda values: len(values) % 4 == 0),
)
def test_every_datatype_reads_the_same_as_json_and_raw(datatype: str, values: list[int]) -> None:
    """Whatever the datatype, the rows are the numbers that were sent."""
    profile = profile_named("iris")
    listed = [bool(value) for value in values] if datatype == "BOOL" else values
    tensor = _tensor(datatype=datatype, data=listed, shape=[len(values) // 4, 4])
    as_json = Exchange(profile, max_rows=9, json_length=None)(json.dumps({"inputs": [tensor]}).encode())
    raw = np.array(values).astype(DTYPES[datatype]).tobytes()
    tensor = {**tensor, "data": None, "parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    as_raw = Exchange(profile, max_rows=9, json_length=str(len(head)))(head + raw)
    assert as_json == as_raw == np.array(values, dtype=float).reshape(-1, 4).tolist()


@given(st.binary(max_size=120), st.none() | st.integers(-5, 200).map(str))
@settings(max_examples=examples(200))
def test_whatever_is_sent_it_is_read_or_refused(payload: bytes, length: str | None) -> None:
    """Nothing but ``InvalidInput`` is raised."""
    with pytest.raises(InvalidInput):
        Exchange(profile_named("iris"), max_rows=9, json_length=length)(payload)


def _png(level: int) -> bytes:
    buffer = BytesIO()
    Image.new("L", (16, 16), level).save(buffer, "PNG")
    return buffer.getvalue()


async def test_pictures_are_tensors_too(make: Callable[..., Bench]) -> None:
    """As pixels, as base64 in JSON, or as the bytes of files behind it: the same picture, the same answer."""
    bench = make(models=("digits",), model_name="digits")
    url = "/v2/models/digits/infer"
    async with bench.client() as client:
        described = (await client.get("/v2/models/digits")).json()
        assert {tensor["name"]: (tensor["datatype"], tensor["shape"]) for tensor in described["inputs"]} == {
            "image": ("BYTES", [-1]),
            "pixels": ("FP32", [-1, 8, 8]),
        }
        model = bench.models.loaded("digits")
        assert model is not None
        profile = model.profile
        assert isinstance(profile, PictureProfile)
        examples = [list(row) for row in model.statistics.examples[:2]]
        pixels = {"name": "pixels", "datatype": "FP32", "shape": [2, 8, 8], "data": examples}
        answers = _outputs(await client.post(url, json={"inputs": [pixels]}))
        assert answers["classes"] == list(model.predict(profile.items_of(np.array(examples))).classes)
        files = [_png(20), _png(200)]
        image = {"name": "image", "datatype": "BYTES", "shape": [2]}
        texts = [base64.b64encode(file).decode() for file in files]
        listed = _outputs(await client.post(url, json={"inputs": [{**image, "data": texts}]}))
        raw = b"".join(struct.pack("<I", len(file)) + file for file in files)
        head = json.dumps({"inputs": [{**image, "parameters": {"binary_data_size": len(raw)}}]}).encode()
        sent = await client.post(url, content=head + raw, headers={LENGTH: str(len(head))})
        assert _outputs(sent) == listed

        async def refused(tensor: dict[str, Any]) -> str:
            answer = await client.post(url, json={"inputs": [tensor]})
            assert answer.status_code == 422, answer.text
            return str(answer.json()["error"])

        assert "pixels are from 0 to 16" in await refused({**pixels, "data": [17.0] * 128})
        assert "base64" in await refused({**image, "data": ["?", "?"]})
        assert "base64" in await refused({**image, "data": [1, 2]})
        assert "1 pictures do not fill" in await refused({**image, "data": texts[:1]})
        assert "no picture of a known format" in await refused({**image, "shape": [1], "data": ["aGVsbG8="]})


async def test_the_repository_is_closed_without_a_token(make: Callable[..., Bench]) -> None:
    """403 whatever is sent; the models stay."""
    bench = make()
    async with bench.client() as client:
        for path in ("/v2/repository/index", "/v2/repository/models/iris/load", "/v2/repository/models/iris/unload"):
            answer = await client.post(path, headers={"authorization": "Bearer "})
            assert answer.status_code == 403
            assert "CONTROL_TOKEN" in answer.json()["error"]
        assert bench.models.all_loaded


async def test_the_repository_loads_and_unloads_with_the_token(make: Callable[..., Bench]) -> None:
    """401 for another token; index, unload, load, and a load that fails while the old model serves."""
    bench = make(models=("iris", "churn"), control_token="s3cret")  # noqa: S106 - of this test alone
    token = {"authorization": "Bearer s3cret"}
    async with bench.client() as client:

        async def post(path: str, headers: dict[str, str] = token, **options: Any) -> httpx.Response:
            return await client.post(f"/v2/repository/{path}", headers=headers, **options)

        def states(answer: httpx.Response) -> Iterable[tuple[str, str]]:
            return [(entry["name"], entry["state"]) for entry in answer.json()]

        for headers in ({}, {"authorization": "Bearer other"}, {"authorization": "s3cret"}):
            answer = await post("index", headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        assert states(await post("index")) == [("iris", "READY"), ("churn", "READY")]
        assert (await post("models/iris/unload", json={"parameters": {"unload_dependents": False}})).json() == {}
        assert states(await post("index")) == [("iris", "UNAVAILABLE"), ("churn", "READY")]
        assert states(await post("index", json={"ready": True})) == [("churn", "READY")]
        assert (await post("index", json=[1])).status_code == 422
        assert (await post("index", json={"ready": 0.0})).status_code == 422
        assert (await client.post(INFER, json={"inputs": [_tensor()]})).status_code == 503
        assert (await post("models/iris/load")).status_code == 200
        assert (await client.post(INFER, json={"inputs": [_tensor()]})).status_code == 200
        assert (await post("models/none/load")).status_code == 404
        bench.seams.loads.append(lambda _, path: path / "not-there")
        failed = await post("models/iris/load")
        assert failed.status_code == 503
        assert "goes on serving" in failed.json()["error"]
        assert (await client.post(INFER, json={"inputs": [_tensor()]})).status_code == 200
