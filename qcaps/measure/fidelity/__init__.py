"""How true the reference is: its defines beside what a real libvirt makes of the same domains.

`truth` is what the real one made of a domain, recorded, and `witness` a libvirt of our own to ask for it.
`comparison` holds the reference beside it, `definition` two definitions beside each other. `mutants` are
edits of domain files, drawn at random, and `reduction` finds the least of one on which the two still differ.
"""
