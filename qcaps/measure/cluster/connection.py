"""A Dask scheduler and its workers, joined; refused where they do not fit together."""

from __future__ import annotations

import logging
import ssl
import time
import uuid
import warnings
from collections import defaultdict
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from qcaps.errors import QcapsError, UsageError
from qcaps.measure.cluster import host as on_host
from qcaps.measure.gate.arms import ArmError, MismatchError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from distributed import Future

BENCH: Final = "bench"
"""The resource that each worker has one of: whoever measures takes it."""
INSTALL: Final = "pip install 'qcaps[dask]'"
START: Final = (
    "dask worker ADDRESS --nthreads 1 --nworkers 1 --resources bench=1,{0}=1 --name {0} --memory-limit 0"
)
_CONNECT_SECONDS = 10.0
_LOOK_SECONDS = 2.0
_LOST_SECONDS = 60.0
"""How long a worker may be away: its nanny starts it again in a few."""
_RETRIES = 2
_LOOPBACK = ("127.", "localhost", "[::1]")
_KINDS: Final = {"ArmError": ArmError, "MismatchError": MismatchError, "UsageError": UsageError}


class LostError(QcapsError):
    """A host's Dask worker died with the portion, again and again."""


@dataclass(frozen=True)
class Access:
    """How a scheduler is reached; files for TLS, where Dask's own configuration does not name them."""

    address: str
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass
class Cluster:
    """A scheduler that answers, and what its hosts are, by their names: as `host.identity` has it."""

    access: Access
    client: Any
    hosts: dict[str, on_host.Plain]
    _session: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    _count: int = 0
    _seen: dict[str, float] = field(default_factory=dict)
    _homes: dict[str, str] = field(default_factory=dict)
    """The host of each portion; "" for any."""

    def submit(self, do: str, plain: on_host.Plain, host: str = "") -> Future:
        """Have a portion carried out on a host, any without a name; one at a time on each.

        A host is asked for by a resource of its name: a worker that is started anew has it too.
        """
        self._count += 1
        key = f"qcaps-{self._session}-{do}-{self._count}"
        self._homes[key] = host
        return self.client.submit(
            on_host.carry_out_portion,
            {"do": do, "qcaps": self.hosts[host]["qcaps"] if host else on_host.QCAPS, **plain},
            key=key,
            pure=False,
            retries=_RETRIES,
            resources={BENCH: 1, **({host: 1} if host else {})},
        )

    def first_of(self, futures: Collection[Future]) -> list[Future]:
        """Those that are done, or have nobody any more who could do them; at least one.

        Raises QcapsError if there is nobody left to do any.
        """
        from distributed import CancelledError, wait

        while True:
            try:
                return list(wait(list(futures), timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED").done)
            except TimeoutError:
                there = self.present()
                if lost := [one for one in futures if self._homes[one.key] not in there]:
                    return lost
            except CancelledError:
                raise self._gone() from None

    def answer(self, future: Future) -> on_host.Plain | None:
        """What a portion came to; None if its answer was lost with a worker, and is being made anew.

        Raises LostError, or the host's own complaint.
        """
        from distributed import CancelledError
        from distributed.scheduler import KilledWorker

        if not future.done() and self._homes[future.key] not in self.present():
            self.cancel([future])
            raise LostError(f"it has had no Dask worker for {_LOST_SECONDS:.0f} s")
        try:
            found: on_host.Plain = future.result(timeout=_LOOK_SECONDS)
        except TimeoutError:
            return None
        except CancelledError:
            raise self._gone() from None
        except KilledWorker as error:
            raise LostError(f"its Dask worker died {error.allowed_failures + 1} times") from None
        except Exception as error:  # noqa: BLE001  # whatever a host raises
            raise QcapsError(f"a Dask worker: {type(error).__name__}: {error}") from None
        future.release()
        if "error" in found:
            raise _KINDS.get(found["kind"], QcapsError)(f"host {found['host']}: {found['error']}")
        return found

    def present(self) -> set[str]:
        """The hosts whose workers are there, or were lately, and "". Raises QcapsError if all are gone."""
        try:
            workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        except (OSError, RuntimeError):
            raise self._gone() from None
        now = time.monotonic()
        there = {one for worker in workers for one in worker.get("resources", {})}
        for one in self.hosts:
            if one in there or one not in self._seen:
                self._seen[one] = now
        found = {one for one in self.hosts if now - self._seen[one] < _LOST_SECONDS}
        if not found:
            raise QcapsError(
                f"{self.access.address}: no host has had a Dask worker for {_LOST_SECONDS:.0f} s; what was"
                " measured is kept: start them, and the same command goes on"
            )
        return {*found, ""}

    def cancel(self, futures: Collection[Future]) -> None:
        """Take back what is not done."""
        if futures:
            with suppress(Exception):  # the scheduler may be gone, and this may be why
                self.client.cancel(list(futures), force=True)

    def _gone(self) -> QcapsError:
        return QcapsError(f"{self.access.address}: the scheduler went away; what was measured is kept")


@contextmanager
def connected(access: Access, subjects: Sequence[str] = (), *, alike: bool = True) -> Iterator[Cluster]:
    """A cluster whose hosts have one Dask and, if they are to be `alike`, one of all that times depend on.

    That is one qcaps, Python, and version of each subject. Raises QcapsError, and MismatchError where they
    differ.
    """
    try:
        import distributed
    except ImportError:
        raise UsageError(f"--on {access.address}: Dask is not installed: {INSTALL}") from None
    # What it logs of a connection that fails is said in our line; its loggers have a handler each.
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).disabled = True
    security = _security(access)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions that differ: we refuse them
            client = distributed.Client(access.address, timeout=_CONNECT_SECONDS, security=security)
    except Exception as error:  # noqa: BLE001  # Dask, its TLS and another version's protocol raise anything
        raise _no_connection(access, error) from None
    try:
        hosts = _hosts(client, access, subjects)
        if alike:
            _check_alike(hosts, on_host.identity(subjects))
        yield Cluster(access, client, hosts)
    finally:
        with suppress(Exception):
            client.close(timeout=_LOOK_SECONDS)


def is_open(access: Access) -> bool:
    """Whether whoever reaches the scheduler may run what they like on its workers."""
    scheme, _, rest = access.address.rpartition("://")
    return scheme != "tls" and not rest.startswith(_LOOPBACK)


def _security(access: Access) -> Any:  # noqa: ANN401  # Dask's
    """What Dask needs to know of TLS. Raises UsageError where certificates are missing."""
    from distributed.security import Security

    named = {"tls_ca_file": access.ca, "tls_client_cert": access.cert, "tls_client_key": access.key}
    given = {name: str(path) for name, path in named.items() if path is not None}
    wanted = access.address.startswith("tls://")
    try:
        found = Security(**given, **({"require_encryption": True} if wanted else {}))
        lacking = wanted and found.get_connection_args("client").get("ssl_context") is None
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(f"--tls-ca, --tls-cert, --tls-key: cannot be used: {error}") from None
    if lacking:
        raise UsageError(
            f"--on {access.address}: TLS needs --tls-ca, --tls-cert and --tls-key, or these in Dask's"
            " configuration"
        )
    return found


def _no_connection(access: Access, error: BaseException) -> QcapsError:
    """Why there is no connection, as far as Dask tells."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    why = "it hangs up: it speaks TLS (then tls://…), or another version of Dask, or is no scheduler"
    if any(isinstance(one, ssl.SSLError) or "SSL" in str(one) for one in causes):
        why = "no TLS with it: it speaks none, or --tls-ca, --tls-cert and --tls-key are not for it"
    elif isinstance(error, OSError) and "Timed out" in str(error):
        why = "no scheduler answers there"
    return QcapsError(f"{access.address}: {why} ({type(error).__name__}: {error!s:.120})")


def _hosts(client: Any, access: Access, subjects: Sequence[str]) -> dict[str, on_host.Plain]:  # noqa: ANN401  # Dask's
    """What each host is. Raises QcapsError for one that cannot measure."""
    _check_dask(client, access)
    workers = client.scheduler_info(n_workers=-1)["workers"]
    found: dict[str, on_host.Plain] = {}
    names: dict[str, str] = {}
    for address, one in client.run(on_host.identity, tuple(subjects), on_error="return").items():
        worker = workers.get(address, {})
        name = str(worker.get("name", address))
        if isinstance(one, OSError):
            continue  # it is on its way out
        if isinstance(one, Exception):
            raise MismatchError(
                f"Dask worker {name}: has no qcaps, or an older one: {INSTALL} there"
                f" ({type(one).__name__}: {one!s:.200})"
            )
        host = one["host"]
        if host in found:
            raise QcapsError(f"host {host}: two Dask workers ({names[host]}, {name}): one a host; end one")
        if not {BENCH, host} <= worker.get("resources", {}).keys():
            raise QcapsError(
                f"host {host}: its Dask worker has not the resources bench=1,{host}=1: {START.format(host)}"
            )
        found[host], names[host] = one, name
    if not found:
        raise QcapsError(f"{access.address}: no workers; on each host: {START.format('HOST')}")
    return found


def _check_dask(client: Any, access: Access) -> None:  # noqa: ANN401  # Dask's
    """Raise MismatchError unless all have one version of Dask: it warns, at most."""
    told = client.get_versions(check=False)
    ours = told["client"]["packages"]["distributed"]
    for who, one in (("the scheduler", told["scheduler"]), *told["workers"].items()):
        theirs = one["packages"]["distributed"]
        if theirs != ours:
            raise MismatchError(
                f"{access.address}: {who} has distributed {theirs}, this command {ours}: install one version"
            )


def _check_alike(hosts: Mapping[str, on_host.Plain], here: on_host.Plain) -> None:
    """Raise MismatchError for hosts that differ from each other, or from us in what we send."""
    for host, one in hosts.items():
        if one["qcaps"] != one["qcaps on its disk"]:
            raise MismatchError(
                f"host {host}: its qcaps was changed since its Dask worker started: restart it"
            )
    everyone = {"this command": here, **{f"host {host}": one for host, one in hosts.items()}}
    for what in here:
        if what == "host":
            continue
        having = defaultdict(list)
        for who, one in everyone.items():
            having[one[what]].append(who)
        for value in having:
            if value.startswith(on_host.NONE):
                raise QcapsError(f"{having[value][0]}: {what}: {value.removeprefix(on_host.NONE)}")
        if len(having) > 1:
            sides = "; ".join(f"{value}: {', '.join(who)}" for value, who in having.items())
            raise MismatchError(f"{what} is not the same everywhere ({sides}): times do not compare")
