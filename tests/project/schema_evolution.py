"""FULL_TRANSITIVE, by doing: real records written by each version of a schema are read by each other version."""

from collections.abc import Iterator, Mapping
from io import BytesIO
from itertools import permutations
from typing import Any

import fastavro
from fastavro.utils import generate_many

Document = dict[str, Any]
_SAMPLES = 20


def evolution_faults(versions: Mapping[int, Document]) -> list[str]:
    """What breaks the rule, as "v1 -> v2: reason"; empty when every version reads every other one."""
    return [
        f"v{written} -> v{read}: {fault}"
        for written, read in permutations(sorted(versions), 2)
        for fault in _faults(versions[written], versions[read])
    ]


def _faults(writer: Document, reader: Document) -> Iterator[str]:
    try:
        written, wanted = fastavro.parse_schema(writer, {}), fastavro.parse_schema(reader, {})
    except Exception as error:
        yield f"is no schema: {error!r}"
        return
    shared = {field["name"] for field in writer["fields"]} & {field["name"] for field in reader["fields"]}
    for sample in [*generate_many(written, _SAMPLES), _defaults_of(written)]:
        buffer = BytesIO()
        fastavro.schemaless_writer(buffer, written, sample)
        encoded = buffer.getvalue()
        try:
            found = fastavro.schemaless_reader(BytesIO(encoded), written, wanted)
            own = fastavro.schemaless_reader(BytesIO(encoded), written, None)
        except Exception as error:
            yield repr(error)
            return
        if changed := sorted(name for name in shared if found[name] != own[name]):
            yield f"{', '.join(changed)} is read as another value"
            return


def _defaults_of(schema: Any) -> dict[str, Any]:
    """A record that says as little as it may."""
    sample = next(iter(generate_many(schema, 1)))
    return {field["name"]: field.get("default", sample[field["name"]]) for field in schema["fields"]}
