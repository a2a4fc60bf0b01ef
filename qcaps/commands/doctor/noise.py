"""What the doctor says of noise: forks, equal work timed again and again, and what a calibration found."""

from __future__ import annotations

import statistics

from qcaps.commands.doctor.finding import Finding
from qcaps.measure.gate import calibration
from qcaps.measure.machine import fork_cost_us, spread, time_blocks
from qcaps.units import duration

CALIBRATE = "qcaps calibrate"
_MAD_LIMIT_PERCENT = 6.0  # a gate's own limit: beyond it, a host is too noisy to judge a 1 % change
_DRIFT_LIMIT_PERCENT = 3.0
_SLOW_FORK_US = 2000.0
_FALSE_ALARMS = 0.01  # what a gate promises
_CAUGHT = 0.9


def _fork() -> Finding:
    cost = fork_cost_us()
    ok = cost < _SLOW_FORK_US
    text = f"{duration(cost * 1e-6)} for a fork and its wait (median)"
    return Finding("fork", ok, text, "" if ok else "forks are slow here: `fork` validity will dominate")


def _noise() -> Finding:
    blocks = time_blocks()
    mad, drift = spread(blocks)
    ok = mad <= _MAD_LIMIT_PERCENT and drift <= _DRIFT_LIMIT_PERCENT
    text = (
        f"{len(blocks)} blocks of {duration(statistics.median(blocks))}: "
        f"MAD {mad:.1f} %, drift {drift:.1f} % between the halves"
    )
    return Finding("noise", ok, text, "" if ok else "stop other work and run qcaps doctor again")


def _calibration() -> Finding:
    known = calibration.read()
    if known is None:
        return Finding(
            "calibration",
            ok=False,
            text="none: how often a gate is wrong here is not known",
            advice=CALIBRATE,
        )
    failed, decisions = known.alarms(0.0), known.decisions(0.0)
    caught, slowed = known.failed(0.05), known.decisions(0.05)
    ok = failed <= _FALSE_ALARMS * decisions and caught >= _CAUGHT * slowed
    text = (
        f"{failed} false alarms in {decisions} decisions, +5 % caught {caught} of {slowed} times, "
        f"scatter {known.spread:.1%}, drift {known.drift:.1%} ({known.date[:10]})"
    )
    return Finding("calibration", ok, text, "" if ok else f"a gate's verdicts here need care; {CALIBRATE}")


CHECKS = (_fork, _noise, _calibration)
