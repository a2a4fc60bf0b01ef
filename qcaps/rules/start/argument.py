"""Arguments of QEMU: options as JSON where the binary takes it, as `key=value,…` where it does not.

A property that is None is left out, so that a builder can name all it knows in one literal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from qcaps.rules.shared.sets import ranges

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities

Json = str | int | bool | list["Json"] | dict[str, "Json"] | None
Properties = Mapping[str, Json]

_compact: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def escaped(text: str) -> str:
    """`text` as the value of an option, where a comma would end it."""
    return text.replace(",", ",,")


def on_off(*, state: bool | None) -> str | None:
    """A switch the way QEMU spells it; None where nothing was said."""
    return None if state is None else "on" if state else "off"


def as_json(properties: Properties) -> str:
    """The properties as one JSON object."""
    return _compact({key: value for key, value in properties.items() if value is not None})


def as_options(properties: Properties, first: str) -> str:
    """The properties as `value of first,key=value,…`, the others in their order."""
    words = [str(properties[first])]
    for key, value in properties.items():
        if key != first and value is not None:
            words += _words(key, value)
    return ",".join(words)


def device(capabilities: Capabilities, properties: Properties) -> tuple[str, str]:
    """`-device`; `properties` has a driver.

    Follows: qemuBuildDeviceCommandlineFromJSON
    """
    json_too = "device.json+hotplug" in capabilities
    return "-device", as_json(properties) if json_too else as_options(properties, "driver")


def backend(capabilities: Capabilities, properties: Properties) -> tuple[str, str]:
    """`-object`; `properties` has a qom-type.

    Follows: qemuBuildObjectCommandlineFromJSON
    """
    json_too = "object.qapified" in capabilities
    return "-object", as_json(properties) if json_too else as_options(properties, "qom-type")


def netdev(capabilities: Capabilities, properties: Properties) -> tuple[str, str]:
    """`-netdev`; `properties` has a type.

    Follows: qemuBuildNetdevCommandlineFromJSON
    """
    json_too = "netdev.json" in capabilities
    return "-netdev", as_json(properties) if json_too else as_options(properties, "type")


def blockdev(properties: Properties) -> tuple[str, str]:
    """`-blockdev`, which every QEMU that libvirt 9.0.0 takes reads as JSON."""
    return "-blockdev", _compact(
        {key: value for key, value in properties.items() if value is not None or key == "backing"}
    )


def _words(key: str, value: Json) -> list[str]:
    if isinstance(value, bool):
        return [f"{key}={on_off(state=value)}"]
    if isinstance(value, dict):
        return [word for name, inner in value.items() for word in _words(f"{key}.{name}", inner)]
    if isinstance(value, list):
        if value and all(isinstance(one, int) for one in value):
            numbers = sum(1 << number for number in {int(str(one)) for one in value})
            return [f"{key}={part}" for part in ranges(numbers).split(",")]
        return [f"{key}={one['str']}" for one in value if isinstance(one, dict)]
    return [f"{key}={escaped(str(value))}"]
