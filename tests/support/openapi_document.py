"""An OpenAPI file of the API as it is known, to be changed at will: from its description, not from the code."""

from __future__ import annotations

import copy
from typing import Any

Tree = dict[str, Any]

PREFIX = "/ocpi/bob/2.2/debob-reports"
INT32 = {"type": "integer", "format": "int32", "minimum": 0}
GRADE = {"type": "integer", "format": "int32", "minimum": 1, "maximum": 6}
MONTH = {"type": "string", "pattern": r"^(0[1-9]|1[0-2])-\d{4}$", "example": "01-2024"}
PRICE = {
    "cost": INT32,
    "additionalCosts": {
        "type": "array",
        "uniqueItems": True,
        "items": {"$ref": "#/components/schemas/AdditionalCost"},
    },
    "validFrom": {"type": "string", "format": "date-time"},
    "validTo": {"type": "string", "format": "date-time"},
}
BASIS = {"type": "string", "enum": ["ROAMING_CONTRACT", "BILATERAL_CONTRACT"]}
BODIES: dict[str, Tree] = {
    "HotlineRating": {
        "hotlineCalls": INT32,
        "fcrRate": {"type": "number", "format": "double", "minimum": 0, "maximum": 1},
        "asa": {"type": "number", "format": "double", "minimum": 0},
        "rating": GRADE,
    },
    "NondiscriminatoryAccess": {
        **PRICE,
        "contractualBasis": BASIS,
        "reasoningDifferentCosts": {"type": "string"},
    },
    "HubRating": {"rating": GRADE},
    "AdHocTariff": PRICE,
    "PointRating": {"rating": GRADE, "totalComplaints": INT32},
}
OPTIONAL = {"additionalCosts", "reasoningDifferentCosts"}
PATHS = {
    "HotlineRating": "/hotline-ratings",
    "NondiscriminatoryAccess": "/nondiscriminatory-access",
    "HubRating": "/charginghub/{charginghubId}/ratings",
    "AdHocTariff": "/charginghub/{charginghubId}/ad-hoc-tariff",
    "PointRating": "/charginghub/{charginghubId}/chargingpoint/{chargingpointId}/ratings",
}


def matching(version: str = "3.0.3") -> Tree:
    """Return a file that describes what the service sends."""
    schemas: Tree = {"AdditionalCost": _object({"description": {"type": "string"}, "cost": INT32})}
    paths: Tree = {}
    for name, path in PATHS.items():
        own = {"providerGroup": {"type": "string", "enum": ["DEVFL"]}} if name == "NondiscriminatoryAccess" else {}
        schemas[name] = _object({"month": MONTH, **own, **BODIES[name]})
        schemas[f"{name}Correction"] = _object(
            ({"month": MONTH} if name == "HotlineRating" else {}) | BODIES[name]
        )
        corrected = path + ("/{providerGroup}" if name == "NondiscriminatoryAccess" else "") + "/{month}"
        paths[PREFIX + path] = {"post": _operation(name)}
        paths[PREFIX + corrected] = {"put": _operation(f"{name}Correction")}
    return copy.deepcopy(
        {
            "openapi": version,
            "info": {"title": "OBELIS", "version": "1"},
            "servers": [{"url": "https://api.example"}],
            "security": [{"bearer": []}],
            "paths": paths,
            "components": {
                "schemas": schemas,
                "parameters": {
                    "RequestId": {"name": "X-Request-ID", "in": "header", "required": True},
                    "Accept": {"name": "Accept", "in": "header", "required": True},
                },
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def schema(tree: Tree, name: str) -> Tree:
    """Return one schema of a file, to be changed."""
    found: Tree = tree["components"]["schemas"][name]
    return found


def post(tree: Tree, name: str) -> Tree:
    """Return the operation that creates a report, to be changed."""
    found: Tree = tree["paths"][PREFIX + PATHS[name]]["post"]
    return found


def rename(tree: Tree, old: str, new: str) -> None:
    """Write a part of all paths otherwise."""
    tree["paths"] = {path.replace(old, new): item for path, item in tree["paths"].items()}


def _object(properties: Tree) -> Tree:
    required = [name for name in properties if name not in OPTIONAL]
    return {"type": "object", "properties": properties, "required": required}


def _operation(body: str) -> Tree:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{body}"}}}
    return {
        "parameters": [{"$ref": "#/components/parameters/RequestId"}, {"$ref": "#/components/parameters/Accept"}],
        "requestBody": {"required": True, "content": content},
        "responses": {200: {"description": "created"}},
    }
