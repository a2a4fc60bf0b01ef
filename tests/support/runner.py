"""Does what GitHub's runner does with a composite action: expressions, conditions, outputs, bash.

Steps that use another action are taken down, with what they are given; `gh` and the like are the caller's, on
PATH.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


@dataclass
class ActionRun:
    """A run of an action in `work`, its own files in `temp`."""

    action: Path
    work: Path
    temp: Path
    github: Mapping[str, Any]
    inputs: dict[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    leave_out: tuple[str, ...] = ()
    steps: dict[str, dict[str, str]] = field(default_factory=dict)
    used: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    failed: str = ""

    def run(self) -> ActionRun:
        """Every step in turn; after one that fails none."""
        plain = yaml.safe_load((self.action / "action.yml").read_text())
        assert set(self.inputs) <= set(plain["inputs"]), "an input the action does not have"
        for name, about in plain["inputs"].items():
            self.inputs.setdefault(name, self.text(str(about.get("default", ""))))
        for step in plain["runs"]["steps"]:
            if step["name"] in self.leave_out or not self._wanted(step):
                continue
            if "uses" in step:
                self.used.append((step["uses"], {k: self.text(v) for k, v in step["with"].items()}))
            elif not self._bash(step):
                self.failed = step["name"]
                break
        self.outputs = {name: self.text(one["value"]) for name, one in plain["outputs"].items()}
        return self

    def text(self, template: str) -> str:
        """A text with its expressions in their place."""
        return _EXPRESSION.sub(lambda found: str(self._value(found[1].strip())), template)

    def _wanted(self, step: Mapping[str, Any]) -> bool:
        condition = _EXPRESSION.sub(lambda found: found[1], step.get("if", "true"))
        return bool(self._value(condition.strip()))

    def _value(self, expression: str) -> Any:
        for operator, decide in (("||", any), ("&&", all)):
            if operator in expression:
                parts = [self._value(part.strip()) for part in expression.split(operator)]
                return decide(parts) if operator == "&&" else next((one for one in parts if one), "")
        if "==" in expression:
            left, right = (self._value(part.strip()) for part in expression.split("=="))
            return left == right
        if expression.startswith("'"):
            return expression.strip("'")
        if expression in ("true", "false"):
            return expression == "true"
        context: Any = {"inputs": self.inputs, "github": self.github,
                        "steps": {name: {"outputs": one} for name, one in self.steps.items()}}  # fmt: skip
        for part in expression.split("."):
            context = context.get(part, "") if isinstance(context, dict) else ""
        return context

    def _bash(self, step: Mapping[str, Any]) -> bool:
        script, told = self.temp / "step.sh", self.temp / "output"
        script.write_text(self.text(step["run"]))
        told.write_text("")
        given = {name: self.text(value) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
            cwd=self.work,
            env={**os.environ, **self.environment, "RUNNER_TEMP": str(self.temp), "GITHUB_OUTPUT": str(told),
                 "GITHUB_STEP_SUMMARY": str(self.temp / "summary"), "GITHUB_ACTIONS": "true", **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )  # fmt: skip
        self.log += done.stdout
        pairs = (line.partition("=") for line in told.read_text().splitlines())
        self.steps[step.get("id", "")] = {name: value for name, _, value in pairs}
        return done.returncode == 0
