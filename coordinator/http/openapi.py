"""The OpenAPI 3.1 document of the public API, made from the routes and their handlers' signatures."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from coordinator.http.auth import PUBLIC
from coordinator.http.endpoint import Shape
from coordinator.http.routes import API_PREFIX, Route
from coordinator.protocol import ErrorEnvelope

_PART = re.compile(r"\{(\w+):[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
_REFERENCE = "#/components/schemas/{name}"


def openapi_document(routes: Sequence[Route], version: str) -> bytes:
    """Return the document, encoded."""
    documented = [(route, Shape.of(route.handler)) for route in routes if route.path.startswith(API_PREFIX)]
    types: list[Any] = [ErrorEnvelope]
    for _, shape in documented:
        types += [kind for kind in (shape.body, shape.query, _message(shape)) if kind is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE, schema_hook=_any)
    by_type = dict(zip(map(str, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route, shape in documented:
        operations = paths.setdefault(_PART.sub(r"{\1}", route.path), {})
        operations[route.method.lower()] = _operation(route, shape, by_type, components)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Blender Render Farm",
                "version": version,
                "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
            },
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {
                    "token": {"type": "http", "scheme": "bearer"},
                    "session": {"type": "apiKey", "in": "cookie", "name": "renderfarm_session"},
                },
            },
            "security": [{"token": []}, {"session": []}],
        }
    )


def _operation(route: Route, shape: Shape, schemas: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    module = route.handler.__module__.rpartition(".")[2]
    operation: dict[str, Any] = {
        "operationId": f"{module}.{route.handler.__name__}",
        "tags": [module],
        "summary": (route.handler.__doc__ or "").strip().partition("\n")[0],
        "parameters": [*_path_parameters(shape), *_query_parameters(shape, schemas, components)],
        "responses": _responses(route, shape, schemas),
    }
    if shape.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(schemas[str(shape.body)])}
    elif route.upload:
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    if route.access == PUBLIC:
        operation["security"] = []
    return operation


def _path_parameters(shape: Shape) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer" if kind is int else "string"},
        }
        for name, kind in shape.path.items()
    ]


def _query_parameters(shape: Shape, schemas: Mapping[str, Any], components: Mapping[str, Any]) -> list[dict[str, Any]]:
    if shape.query is None:
        return []
    schema = components[schemas[str(shape.query)]["$ref"].rpartition("/")[2]]
    return [{"name": name, "in": "query", "schema": value} for name, value in schema["properties"].items()]


def _responses(route: Route, shape: Shape, schemas: Mapping[str, Any]) -> dict[str, Any]:
    message = _message(shape)
    if message is not None:
        success: dict[str, Any] = {"description": "Success", "content": _json(schemas[str(message)])}
    elif route.media is not None:
        success = {"description": "Success", "content": {kind: {} for kind in route.media}}
    else:
        success = {"description": "Success"}
    responses = {str(status): success for status in route.statuses}
    responses["default"] = {
        "description": "What went wrong: a code for programs, a sentence for people, details by field",
        "content": _json(schemas[str(ErrorEnvelope)]),
    }
    return responses


def _any(kind: type) -> dict[str, Any]:
    """Describe what may be anything, as the details of an event."""
    if kind is object:
        return {"description": "anything"}
    raise NotImplementedError


def _message(shape: Shape) -> Any:
    """Return the type of a handler's answer, or None when it is no message."""
    if shape.answer is None or (isinstance(shape.answer, type) and issubclass(shape.answer, web.StreamResponse)):
        return None
    return shape.answer


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
