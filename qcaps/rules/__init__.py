"""The port of libvirt's rules: this room changes only to follow libvirt 9.0.0, and knows no policy.

Each function says which C function it follows, on a line `Follows: …` of its docstring or above it;
`docs/c-functions.md` lists them the other way round. `# as libvirt:` marks what looks wrong and is right.

* `kind` and `devices/`: what happens to one kind of device, one module or folder a kind, one record each;
* `orders`: the orders in which libvirt goes over the kinds;
* `shared/`: what several kinds use; kinds do not import each other;
* `definition/`: passes over the whole domain: `reading` (what the parser refuses), `completion` (post-parse),
  `validation`;
* `addresses/`: who gets which address, and the controllers that takes;
* `start/`: QEMU's command line.
"""
