"""The tables of docs/rest-api.md, made from proto/openapi.json; reference.py holds the page against them."""
import json


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def type_of(schema):
    """A field's or a parameter's type in words, with a link to the table of a named one."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {type_of(schema['items'])}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map of {type_of(schema['additionalProperties'])}"
    return " or ".join(kind) if isinstance(kind, list) else kind


def body(content):
    """What a request or an answer carries: the type of JSON, the media type of anything else."""
    kinds = []
    for media, what in content.items():
        is_named = media == "application/json" and "schema" in what
        kinds.append(type_of(what["schema"]) if is_named else f"`{media}`")
    return " or ".join(kinds)


def answers(operation):
    """The good ones, each with what it carries."""
    good = {code: answer for code, answer in operation["responses"].items() if code < "400"}
    return ", ".join(f"{code} {body(answer.get('content', {}))}".strip() for code, answer in sorted(good.items()))


def codes(operation):
    return ", ".join(sorted(code for code in operation["responses"] if code >= "400"))


def parameters(operation):
    """Of query and header; those of the path stand in it."""
    return ", ".join(f"`{p['name']}`" + (" (header)" if p["in"] == "header" else "") for p in operation.get("parameters", []) if p["in"] != "path")


def operations_of(document, tag):
    return [(method, path, operation) for path, methods in document["paths"].items() for method, operation in methods.items() if operation["tags"] == [tag]]


def of_tag(document, tag):
    rows = [f"### {tag['name']}", tag["description"], "",
            "| method and path | what it does | role | parameters | request | answer | errors |", "|---|---|---|---|---|---|---|"]
    for method, path, operation in operations_of(document, tag["name"]):
        request = body(operation.get("requestBody", {}).get("content", {}))
        rows.append(f"| `{method.upper()} {path}` | {cell(operation['summary'])} | {operation['x-slipway-role']} | {parameters(operation)} | {request} | "
                    f"{answers(operation)} | {codes(operation)} |")
    return rows + [""]


def of_type(name, schema):
    rows = [f"### {name}", "", "| field | type | | meaning |", "|---|---|---|---|"]
    for field, what in schema["properties"].items():
        needed = "required" if field in schema.get("required", []) else ""
        rows.append(f"| `{field}` | {type_of(what)} | {needed} | {cell(what.get('description', ''))} |")
    return rows + [""]


def tables(root):
    document = json.loads((root / "proto/openapi.json").read_text())
    count = sum(len(methods) for methods in document["paths"].values())
    rows = ["## Operations", ""]
    for tag in document["tags"]:
        rows += of_tag(document, tag)
    listed = sum(len(operations_of(document, tag["name"])) for tag in document["tags"])
    if listed != count or count < 60:
        raise SystemExit(f"{listed} operations have a known tag, openapi.json has {count}")
    rows += ["## Types", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        rows += of_type(name, schema)
    return "\n".join(rows) + "\n"
