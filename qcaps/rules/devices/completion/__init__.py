"""What libvirt makes of each device, kind by kind.

`parsed(domain, device)` is what its parser fills in, `complete(state, device)` what its post-parse callbacks
do (the driver's first, then the common one). Both take a device and give one.
"""
