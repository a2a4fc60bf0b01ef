"""Stand-ins for all that a domain names outside the guest, before a real libvirt starts it.

Whatever a start would open on the host (images, folders, sockets, devices, firmware) is replaced by
something empty in one folder, of the same kind of device, so that D stays as it was; what nothing stands in
for is refused with line and element. At the end what is left is searched for paths: a start never meets one
that was overlooked.
"""
