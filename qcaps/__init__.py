"""What QEMU capability lookups cost, and what looking up once per task buys::

    import qcaps

    with qcaps.Driver(policy="once") as driver:
        print(driver.define(qcaps.domain("disks", 64)).lookups)

The names in `__all__` are the library. They change only with the first number of the version, until 1.0 with
the second, and CHANGELOG.md says how; every other name in the package may change at any time.
Each is imported when it is first used, so that `import qcaps` costs next to nothing.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qcaps.cache.validity import VALIDITIES
    from qcaps.errors import QcapsError, UsageError
    from qcaps.library.benchmark import Measurements, benchmark, read_results
    from qcaps.library.driver import Driver
    from qcaps.library.explain import explain
    from qcaps.library.guests import domain
    from qcaps.library.outcome import NamedLookup, Outcome
    from qcaps.lookups.policy import POLICIES
    from qcaps.rules.refusal import CapabilitiesChanged, Refused

__version__ = "0.1.0"

__all__ = (  # noqa: RUF022  # from most to least important
    "Driver",
    "explain",
    "benchmark",
    "domain",
    "read_results",
    "Outcome",
    "NamedLookup",
    "Measurements",
    "POLICIES",
    "VALIDITIES",
    "QcapsError",
    "UsageError",
    "Refused",
    "CapabilitiesChanged",
    "__version__",
)

_MADE_IN = {
    "Driver": "library.driver",
    "explain": "library.explain",
    "benchmark": "library.benchmark",
    "domain": "library.guests",
    "read_results": "library.benchmark",
    "Outcome": "library.outcome",
    "NamedLookup": "library.outcome",
    "Measurements": "library.benchmark",
    "POLICIES": "lookups.policy",
    "VALIDITIES": "cache.validity",
    "QcapsError": "errors",
    "UsageError": "errors",
    "Refused": "rules.refusal",
    "CapabilitiesChanged": "rules.refusal",
}


if not TYPE_CHECKING:  # type checkers know the names above, and that there is no other

    def __getattr__(name: str) -> object:
        if name not in _MADE_IN:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found: object = getattr(import_module(f"{__name__}.{_MADE_IN[name]}"), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
