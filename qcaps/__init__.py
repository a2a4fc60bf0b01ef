"""What QEMU capability lookups cost, and what looking up once per task buys."""

__version__ = "0.1.0"
