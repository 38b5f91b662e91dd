"""The part of the SARIF 2.1.0 schema (OASIS) that speaks of what bastide writes.

Names, types, bounds and what is required are those of the standard's schema; a property that bastide does not
write is refused here though the standard may know it. It is added, from the standard, when bastide writes it.
"""

TEXT = {"type": "string"}
LEVEL = {"enum": ["none", "note", "warning", "error"]}


def record(required=(), **properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def many(items, **more):
    return {"type": "array", "items": items, **more}


MESSAGE = record(["text"], text=TEXT)
BAG = {"type": "object", "properties": {"tags": many(TEXT, uniqueItems=True)}}
RULE = record(
    ["id"],
    id=TEXT,
    shortDescription=MESSAGE,
    fullDescription=MESSAGE,
    help=MESSAGE,
    helpUri={"type": "string", "format": "uri"},
    defaultConfiguration=record(level=LEVEL),
    properties=BAG,
)
DRIVER = record(
    ["name"],
    name=TEXT,
    version=TEXT,
    semanticVersion=TEXT,
    informationUri={"type": "string", "format": "uri"},
    rules=many(RULE, uniqueItems=True),
)
REGION = record(
    byteOffset={"type": "integer", "minimum": -1},
    byteLength={"type": "integer", "minimum": 0},
    startLine={"type": "integer", "minimum": 1},
)
LOCATION = record(
    physicalLocation=record(
        ["artifactLocation"],
        artifactLocation=record(
            ["uri"], uri={"type": "string", "pattern": r"^[\x21-\x7e]*$"}, uriBaseId=TEXT
        ),
        region=REGION,
    ),
    logicalLocations=many(record(fullyQualifiedName=TEXT), uniqueItems=True),
)
SUPPRESSION = record(["kind"], kind={"enum": ["inSource", "external"]}, justification=TEXT)
RESULT = record(
    ["message", "ruleId", "ruleIndex"],
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": 0},
    level=LEVEL,
    message=MESSAGE,
    locations=many(LOCATION),
    partialFingerprints={"type": "object", "additionalProperties": TEXT},
    suppressions=many(SUPPRESSION, uniqueItems=True),
)
INVOCATION = record(
    ["executionSuccessful"],
    executionSuccessful={"type": "boolean"},
    toolExecutionNotifications=many(record(["message"], level=LEVEL, message=MESSAGE)),
)
RUN = record(
    ["tool"],
    tool=record(["driver"], driver=DRIVER),
    originalUriBaseIds={"type": "object", "additionalProperties": record(description=MESSAGE)},
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    invocations=many(INVOCATION),
    results=many(RESULT),
)
SCHEMA = record(
    ["version", "runs"], **{"$schema": {"type": "string"}}, version={"const": "2.1.0"}, runs=many(RUN)
)
