"""A second client, written from docs/protocol and from nothing else, on py-libp2p.

    python interop.py greet INVITE               identify and ping with the node of an invite
    python interop.py mailbox LINK               everything of page 7 that one asks of a mailbox
    python interop.py correspond INVITE LINK     becomes a contact by the invite; leaves a message at the mailbox and says
                                                 so; after a line on standard input fetches the answer from there

Ends with `checks: N`, or with the first thing that is not as the pages say and a status other than 0.
"""

import os
import sys
import time

import trio
from libp2p.crypto.serialization import deserialize_public_key
from libp2p.host.ping import PingService
from libp2p.identity.identify.identify import ID as IDENTIFY, parse_identify_response
from libp2p.peer.id import ID

import node
from correspond import correspond
from mailbox import Direction, among_others, collect, deposit, erase, found, refused, stamp, work_of, DONE, TAGS
from node import Visit, check, host_of_link, invite_of_link

# What a whole command may take, in seconds.
PATIENCE = 180



async def greet(link):
    invite = invite_of_link(link)
    peer, addresses = invite[5], invite[6]
    async with Visit(peer, addresses) as visit:
        stream = await visit.stream(IDENTIFY)
        said = parse_identify_response(await stream.read())
        key = deserialize_public_key(said.public_key)
        check("the key that identify tells is that of the peer", ID.from_pubkey(key).to_bytes(), peer)
        check("the version that identify tells", said.protocol_version, "kinfolk/1")
        check("the direct stream is offered", "/kinfolk/direct/1" in said.protocols, True)
        check("ping is offered", "/ipfs/ping/1.0.0" in said.protocols, True)
        check("pings come back", len(await PingService(visit.host).ping(visit.peer, 3)), 3)


async def mailbox(link):
    host, addresses, bits = host_of_link(link)
    day, hour = int(time.time()) // 86_400, int(time.time()) // 3_600
    sender, recipient, pair_root = os.urandom(16), os.urandom(16), os.urandom(32)
    post = Direction(pair_root, sender, recipient)
    first, second = (host, day, 1), (host, day, 2)
    payload, longer = b"\x11" + os.urandom(300), b"\x12" + os.urandom(1_500)

    # Somebody leaves two envelopes.
    async with Visit(host, addresses) as visit:
        for place, message in ((first, payload), (second, longer)):
            blob, tag, key = post.seal(message, *place), post.tag(*place), post.erase_key(*place)
            # None that fits: its work was done for another hour.
            stale = stamp(host, tag, blob, hour - 5, work_of(bits, blob))
            reason, number = refused(await visit.ask(deposit(tag, 720, key, stale, blob)))
            check("work of another hour is refused as such", reason, 3)
            check("the work that is wanted", number >> 24, work_of(bits, blob))
            check("the hour by the host's clock", abs((number & 0xFFFFFF) - (hour & 0xFFFFFF)) <= 1, True)
            good = stamp(host, tag, blob, hour, work_of(bits, blob))
            check("a deposit is done", await visit.ask(deposit(tag, 720, key, good, blob)), DONE)
            check("and done again", await visit.ask(deposit(tag, 720, key, stale, blob)), DONE)
        other = post.seal(b"\x11another", *first)
        admission = stamp(host, post.tag(*first), other, hour, work_of(bits, other))
        taken = await visit.ask(deposit(post.tag(*first), 720, post.erase_key(*first), admission, other))
        check("another blob under the tag is refused", refused(taken), (5, 0))
        check("what is no request is not understood", refused(await visit.ask(b"\x09")), (7, 0))

    # Somebody else, from elsewhere for all that the host can tell, looks for them.
    async with Visit(host, addresses) as visit:
        for room in (1, 8, 128):
            nothing = await visit.ask(collect(room, [os.urandom(16) for _ in range(TAGS)]))
            check("nothing lies under tags that were made up", found(nothing, room), (False, {}))
        tags, places = among_others([post.tag(*first), post.tag(*second)])
        more, blobs = found(await visit.ask(collect(8, tags)), 8)
        check("both fit into one page", (more, sorted(blobs)), (False, sorted(places)))
        check("the first opens", post.open(blobs[places[0]], *first), payload)
        check("the second opens", post.open(blobs[places[1]], *second), longer)

        wrong = erase((post.tag(*first), os.urandom(16)))
        check("a wrong key is done as well", await visit.ask(wrong), DONE)
        tags, places = among_others([post.tag(*first)])
        more, blobs = found(await visit.ask(collect(8, tags)), 8)
        check("and erases nothing", list(blobs), places)
        keys = [(post.tag(*place), post.erase_key(*place)) for place in (first, second)]
        check("the right keys are done", await visit.ask(erase(*keys)), DONE)
        tags, _ = among_others([post.tag(*first), post.tag(*second)])
        check("and erase both", found(await visit.ask(collect(8, tags)), 8), (False, {}))


async def within(act, arguments):
    with trio.fail_after(PATIENCE):
        await act(*arguments)


if __name__ == "__main__":
    acts = {"greet": (greet, 1), "mailbox": (mailbox, 1), "correspond": (correspond, 2)}
    act, arguments = acts.get(sys.argv[1] if len(sys.argv) > 1 else "", (None, 0)), sys.argv[2:]
    if len(arguments) != act[1] or act[0] is None:
        raise SystemExit(__doc__)
    trio.run(within, act[0], arguments)
    print(f"checks: {node.checks}")
