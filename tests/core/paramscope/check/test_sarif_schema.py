"""Reports in SARIF are valid by the published schema, which lies beside this file."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paramscope.check.command import main

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


def faults_in(value: Any, schema: Any, root: Any, path: str = "") -> Iterator[str]:
    """Give what is wrong with ``value`` by the keywords that the schema of SARIF uses."""
    while "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (kind != "boolean" and value is True)):
        yield f"{path}: {value!r} is no {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is not allowed"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{path}: {value!r} does not match"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{path}: {value!r} is out of range"
    for name in ("anyOf", "oneOf"):
        choices = schema.get(name, [])
        right = [c for c in choices if not list(faults_in(value, c, root, path))]
        if choices and (not right or (name == "oneOf" and len(right) > 1)):
            yield f"{path}: {len(right)} of {name}"
    if isinstance(value, dict):
        yield from _faults_in_object(value, schema, root, path)
    if isinstance(value, list):
        yield from _faults_in_list(value, schema, root, path)


def _faults_in_object(value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    yield from (f"{path}: lacks {name}" for name in schema.get("required", ()) if name not in value)
    for name, item in value.items():
        inner = f"{path}.{name}".lstrip(".")
        if name in known:
            yield from faults_in(item, known[name], root, inner)
        elif others is False:
            yield f"{inner}: is not known"
        elif isinstance(others, dict):
            yield from faults_in(item, others, root, inner)


def _faults_in_list(value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    if len(value) < schema.get("minItems", 0):
        yield f"{path}: has {len(value)} items"
    if schema.get("uniqueItems") and len({json.dumps(item) for item in value}) < len(value):
        yield f"{path}: has equal items"
    for number, item in enumerate(value):
        yield from faults_in(item, schema.get("items", {}), root, f"{path}.{number}")


@pytest.fixture
def schema() -> Any:
    path = Path(__file__).parent / "sarif-2.1.0.json"
    return json.loads(path.read_text("utf-8"))


@pytest.fixture
def log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, net: str, training: str
) -> Any:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my model.py").write_text(net + training, encoding="utf-8")
    (tmp_path / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    main(["my model.py", "broken.py", "missing.py", "--format", "sarif"])
    return json.loads(capsys.readouterr().out)


def test_sarif_is_valid_by_its_schema(schema: Any, log: Any) -> None:
    assert list(faults_in(log, schema, schema)) == []


def test_the_schema_refuses_what_is_wrong(schema: Any, log: Any) -> None:
    del log["runs"][0]["tool"]
    log["runs"][0]["results"][0]["level"] = "loud"
    log["runs"][0]["results"][0]["rank"] = "high"
    assert sorted(faults_in(log, schema, schema)) == [
        "runs.0.results.0.level: 'loud' is not allowed",
        "runs.0.results.0.rank: 'high' is no number",
        "runs.0: lacks tool",
    ]
