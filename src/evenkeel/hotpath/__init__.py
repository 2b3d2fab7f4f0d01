"""Act 2: the remedies, as parts to import one by one.

`hotpath.ports` says what each part promises; `hotpath.switches` which of its two paths is taken; every other package
is one room with a `build_*` function. Rooms know the ports, the switches and the kernel, never one another; whoever
puts a service together (this package's users, `evenkeel.serve.app`) hands them what they need. See
docs/guide/hotpath.md.
"""
