"""23 frames that arrive on two interfaces of a namespace of its own, of all shapes; one interface has a hostile name."""

import sys

sys.path.insert(0, sys.argv[1])
from packets import HOSTILE_NAME, frames, network, place, send
from workload import expect, scope

network(("er1", "er0"), ("er3", HOSTILE_NAME))
place("er0", HOSTILE_NAME)
scope(("interface", ["er0", HOSTILE_NAME]))
for source, interface, some in (("er1", "er0", frames()), ("er3", HOSTILE_NAME, frames()[:3])):
    send(source, [frame for frame, _, _ in some])
    for frame, said, _ in some:
        expect(interface=interface, bytes=str(len(frame)), **said)
