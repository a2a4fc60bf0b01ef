"""Questions to a QMP schema."""

from __future__ import annotations

from typing import Any

import pytest

from qcaps.capabilities import schema

ENTRIES: list[dict[str, Any]] = [
    {"name": "add", "meta-type": "command", "arg-type": "1", "ret-type": "[2]", "features": ["fast"]},
    {
        "name": "1",
        "meta-type": "object",
        "members": [
            {"name": "driver", "type": "3"},
            {"name": "alt", "type": "5"},
            {"name": "optional", "type": "str", "default": None},
        ],
        "tag": "driver",
        "variants": [{"case": "file", "type": "4"}],
        "features": ["stable"],
    },
    {"name": "[2]", "meta-type": "array", "element-type": "4"},
    {"name": "3", "meta-type": "enum", "values": ["file", "nvme"]},
    {
        "name": "new",
        "meta-type": "enum",
        "values": ["png"],
        "members": [{"name": "png", "features": ["lossless"]}, {"name": "ppm"}],
    },
    {"name": "4", "meta-type": "object", "members": [{"name": "format", "type": "new"}]},
    {"name": "5", "meta-type": "alternate", "members": [{"type": "str"}, {"type": "4"}]},
    {"name": "str", "meta-type": "builtin", "json-type": "string"},
    {"name": "loop", "meta-type": "array", "element-type": "loop"},
    {"name": "odd", "meta-type": "object", "members": "none"},
    {"name": "lost", "meta-type": "command", "arg-type": "no such type"},
    {"name": "7", "meta-type": "unheard of"},
]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("add", True),
        ("remove", False),
        ("add/arg-type", True),
        ("add/$fast", True),
        ("add/$slow", False),
        ("add/$fast/arg-type", False),
        ("add/arg-type/driver/^nvme", True),
        ("add/arg-type/driver/^vxhs", False),
        ("add/arg-type/driver/nvme", False),
        ("add/arg-type/driver/^nvme/$x", False),
        ("add/arg-type/$stable", True),
        ("add/arg-type/+file/format/^png", True),
        ("add/arg-type/+file/format/^png/$lossless", True),
        ("add/arg-type/+file/format/^ppm/$lossless", False),
        ("add/arg-type/+nbd", False),
        ("add/arg-type/*optional", True),
        ("add/arg-type/*driver", False),
        ("add/arg-type/optional/!string", True),
        ("add/arg-type/optional/!number", False),
        ("add/arg-type/alt/format", True),
        ("add/arg-type/alt/!string", True),
        ("add/arg-type/alt/other", False),
        ("add/ret-type/format", True),
        ("loop/anything", False),
        ("odd/anything", False),
        ("lost/arg-type", False),
        ("7/anything", False),
    ],
)
def test_a_path_leads_where_it_should(path: str, *, expected: bool) -> None:
    assert schema.has(schema.indexed(ENTRIES), path) is expected
