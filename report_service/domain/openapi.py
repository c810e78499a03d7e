"""What an OpenAPI file (3.0, 3.1) says of an API: its operations, and the fields that their bodies have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Tree = Mapping[str, Any]

VERBS = ("POST", "PUT", "PATCH")
"""The verbs that bring a body."""
REF_LIMIT = 50
"""A reference that leads to a reference so often leads nowhere."""
DEPTH_LIMIT = 6
"""Reports are three deep; a schema may refer to itself."""
NO_HEADERS = frozenset({"accept", "authorization", "content-type"})
"""Header parameters of these names mean nothing (OpenAPI 3.1, 4.8.12.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedOperation:
    """One verb on one path, as the file has it."""

    verb: str
    path: str  # as written in the file: below the servers' own paths
    required_headers: tuple[str, ...]
    required_queries: tuple[str, ...]
    schema: str | None  # JSON pointer to the schema of its JSON body; None: it takes none
    fields: Mapping[str, bool]  # by `name`, `name.name` or `name[].name`: True if it must be there
    undefined: frozenset[str]  # fields that must be there, and are described nowhere

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"


class ApiDescription:
    """An OpenAPI file, read; references are followed within it."""

    def __init__(self, tree: Tree) -> None:
        """Take the file's content; raise BadInput if it is no OpenAPI 3.0 or 3.1."""
        version = str(tree.get("openapi", ""))
        if not version.startswith(("3.0", "3.1")) or not isinstance(tree.get("paths"), dict):
            raise BadInput(
                f"it is no OpenAPI 3.0 or 3.1 description (openapi: {version or 'not there'})",
                hint="Download the API's OpenAPI file anew, as YAML or JSON.",
            )
        self.tree = tree
        self.version = version[:3]
        self.servers: tuple[str, ...] = tuple(
            str(server["url"]).rstrip("/") for server in tree.get("servers") or () if server.get("url")
        )
        self.operations: tuple[DescribedOperation, ...] = tuple(self._operations())

    @property
    def base_paths(self) -> tuple[str, ...]:
        """Return what stands before each path, by the servers: "" if they say nothing."""
        return tuple({urlsplit(server).path.rstrip("/"): None for server in self.servers}) or ("",)

    def _operations(self) -> Iterator[DescribedOperation]:
        for path in self.tree["paths"]:
            at, item = self._find(f"#/paths/{_escaped(str(path))}")
            for verb in VERBS:
                if isinstance(item.get(verb.lower()), dict):
                    yield self._operation(verb, str(path), item, f"{at}/{verb.lower()}")

    def _operation(self, verb: str, path: str, item: Tree, at: str) -> DescribedOperation:
        _, operation = self._find(at)
        parameters = [self._follow(one) for one in (*item.get("parameters", ()), *operation.get("parameters", ()))]
        required = [one for one in parameters if one.get("required")]
        headers = [str(one["name"]) for one in required if one.get("in") == "header"]
        headers += self._security_headers(operation)
        schema = self._body(at) if "requestBody" in operation else None
        fields = dict(self._fields(schema)) if schema else {}
        return DescribedOperation(
            verb=verb,
            path=path,
            required_headers=tuple(name for name in dict.fromkeys(headers) if name.lower() not in NO_HEADERS),
            required_queries=tuple(str(one["name"]) for one in required if one.get("in") == "query"),
            schema=schema,
            fields={name: bool(must) for name, must in fields.items()},
            undefined=frozenset(name for name, must in fields.items() if must is None),
        )

    def _body(self, at: str) -> str | None:
        """Return where the schema of the operation's JSON body is."""
        at, body = self._find(f"{at}/requestBody")
        content = body.get("content", {})
        media = next((name for name in content if "json" in str(name).lower()), None)
        if media is None or "schema" not in content[media]:
            return None
        return self._find(f"{at}/content/{_escaped(media)}/schema")[0]

    def _security_headers(self, operation: Tree) -> list[str]:
        """Return the headers that every way to sign in asks for, beyond a bearer token."""
        schemes = self.tree.get("components", {}).get("securitySchemes", {})
        ways = operation.get("security", self.tree.get("security")) or [{}]
        needs = [
            [
                str(scheme["name"])
                for scheme in (self._follow(schemes.get(name, {})) for name in way)
                if scheme.get("type") == "apiKey" and scheme.get("in") == "header"
            ]
            for way in ways
        ]
        return min(needs, key=len)

    def _fields(self, at: str, above: str = "", depth: int = 0) -> Iterator[tuple[str, bool | None]]:
        """Yield each field below a schema: True if it must be there, None if that is all that is said of it."""
        properties: dict[str, str] = {}
        required: set[str] = set()
        for part_at, part, certain in self._parts(at):
            properties |= {name: f"{part_at}/properties/{_escaped(name)}" for name in part.get("properties", {})}
            required |= set(part.get("required", ())) if certain else set()
        for name, place in properties.items():
            yield above + name, name in required
            if depth < DEPTH_LIMIT:
                inner, schema = self._find(place)
                listed = ("/items", "[]") if "items" in schema else ("", "")
                yield from self._fields(inner + listed[0], f"{above}{name}{listed[1]}.", depth + 1)
        for name in sorted(required - properties.keys()):
            yield above + name, None

    def _parts(self, at: str, depth: int = 0) -> Iterator[tuple[str, Tree, bool]]:
        """Yield a schema and what it is put together from; whether what is required there is so in any case."""
        at, schema = self._find(at)
        yield at, schema, True
        for word in ("allOf", "anyOf", "oneOf"):
            for number in range(len(schema.get(word, ())) if depth < DEPTH_LIMIT else 0):
                for part_at, part, certain in self._parts(f"{at}/{word}/{number}", depth + 1):
                    yield part_at, part, certain and word == "allOf"

    def _follow(self, node: Tree) -> Tree:
        return self._find(str(node["$ref"]))[1] if "$ref" in node else node

    def _find(self, pointer: str) -> tuple[str, Tree]:
        """Return the object at a JSON pointer, references followed, and the pointer to where it really is."""
        for _ in range(REF_LIMIT):
            if not pointer.startswith("#/"):
                raise BadInput(
                    f"it refers to {pointer}, which lies outside of it",
                    hint="Bundle it into one file first, for example with `redocly bundle`.",
                )
            node: Any = self.tree
            for step in pointer[2:].split("/"):
                node = _child(node, unquote(step).replace("~1", "/").replace("~0", "~"), pointer)
            if not isinstance(node, dict):
                return pointer, {}
            if "$ref" not in node:
                return pointer, node
            pointer = str(node["$ref"])
        raise BadInput(f"its reference {pointer} leads in a circle", hint="Download the API's OpenAPI file anew.")


def _child(node: object, step: str, pointer: str) -> object:
    if isinstance(node, list) and step.isdigit() and int(step) < len(node):
        return node[int(step)]
    if isinstance(node, dict) and step in node:
        return node[step]
    raise BadInput(f"it refers to {pointer}, which is not in it", hint="Download the API's OpenAPI file anew.")


def _escaped(name: str) -> str:
    """Return a name as a step of a JSON pointer in a URI fragment."""
    return name.replace("~", "~0").replace("/", "~1").replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
