"""The API as a page to read: made from its OpenAPI description, without scripts, so it works offline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

Schema = Mapping[str, Any]
_CSS = """
body { font: 14px/1.5 system-ui, sans-serif; color: #1d2733; max-width: 1060px; margin: 28px auto }
h2 { margin: 26px 0 6px; border-bottom: 1px solid #ccd5de } section { margin: 12px 0 }
code { font: 13px ui-monospace, monospace }
.verb { display: inline-block; width: 4.9em; font-weight: 600; color: #0072b2 }
p, ul { margin: 2px 0 2px 4.9em } li { margin: 0 } .soft { color: #4b5a69 }
"""


def api_html(schema: Schema) -> str:
    """Every route by its tag: what it does, its parameters, the fields of its body."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in schema["paths"].items():
        for verb, facts in methods.items():
            tag = (facts.get("tags") or ["server"])[0]
            by_tag.setdefault(tag, []).append(_route(verb, path, facts, schema))
    parts = "".join(f"<h2>{escape(tag)}</h2>{''.join(found)}" for tag, found in by_tag.items())
    title = f"{schema['info']['title']} {schema['info']['version']}: the API"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
        f"<style>{_CSS}</style><h1>{escape(title)}</h1>"
        f"<p class=soft style='margin-left:0'>{escape(schema['info'].get('description', ''))} "
        f"The same for programs: <a href='openapi.json'>openapi.json</a>.</p>{parts}</html>"
    )


def _route(verb: str, path: str, facts: Schema, schema: Schema) -> str:
    about = escape(facts.get("description") or facts.get("summary", ""))
    items = "".join(f"<li>{text}" for text in (*_parameters(facts), *_body(facts, schema)))
    head = f"<span class=verb>{verb.upper()}</span><code>{escape(path)}</code>"
    return f"<section>{head}<p>{about}</p>{f'<ul>{items}</ul>' if items else ''}</section>"


def _parameters(facts: Schema) -> Iterator[str]:
    for each in facts.get("parameters", []):
        if each["in"] == "query":
            known = each.get("schema", {})
            yield _field(f"?{each['name']}", known, each.get("required", False))


def _body(facts: Schema, schema: Schema) -> Iterator[str]:
    content = facts.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    model = schema.get("components", {}).get("schemas", {}).get(name, {})
    if model.get("description"):
        yield f"<span class=soft>{escape(model['description'])}</span>"
    for key, known in model.get("properties", {}).items():
        yield _field(key, known, key in model.get("required", []))


def _field(name: str, known: Schema, required: bool) -> str:
    parts = [_type(known), "needed" if required else ""]
    default = known.get("default")
    if not required and default not in (None, "", [], {}):
        parts.append(f"default {default}")
    about = ", ".join(part for part in parts if part)
    return f"<code>{escape(name)}</code> <span class=soft>{escape(about)}</span>"


def _type(known: Schema) -> str:
    if "enum" in known:
        return " | ".join(str(each) for each in known["enum"])
    if "const" in known:
        return str(known["const"])
    if "anyOf" in known:
        return " or ".join(_type(each) for each in known["anyOf"] if each.get("type") != "null")
    kind = str(known.get("type", known.get("$ref", "").rpartition("/")[2]))
    return f"list of {_type(known['items'])}" if kind == "array" and "items" in known else kind
