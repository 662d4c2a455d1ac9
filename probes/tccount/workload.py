"""43 packets: 20 frames of all shapes that leave one interface and arrive on another, and 3 more that leave a third."""

import sys

sys.path.insert(0, sys.argv[1])
from packets import HOSTILE_NAME, frames, network, place, send
from workload import expect, scope

network(("er1", "er0"), (HOSTILE_NAME, "er2"))
place("er0", "er1", HOSTILE_NAME)
scope(("interface", ["er0", "er1", HOSTILE_NAME]))
send("er1", [frame for frame, _, _ in frames()])
for frame, said, is_tagged in frames():
    expect(interface="er1", direction="egress", bytes=str(len(frame)), **said)
    # The kernel has taken the first tag off.
    expect(interface="er0", direction="ingress", bytes=str(len(frame) - 4 * is_tagged), **said)
send(HOSTILE_NAME, [frame for frame, _, _ in frames()[:3]])
for frame, said, _ in frames()[:3]:
    expect(interface=HOSTILE_NAME, direction="egress", bytes=str(len(frame)), **said)
