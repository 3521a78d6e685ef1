"""A second client, written from docs/protocol and from nothing else, on py-libp2p: greets a node, and uses one as a mailbox.

    python interop.py greet kinfolk:...            identify and ping with the node of an invite (page 2.7)
    python interop.py mailbox kinfolk-mailbox:...  everything of page 7 that one asks of a host

Ends with `checks: N`, or with the first thing that is not as the pages say and a status other than 0.
"""

import base64
import hashlib
import hmac
import os
import random
import sys
import time

import cbor2
import multiaddr
import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.serialization import deserialize_public_key
from libp2p.host.ping import PingService
from libp2p.identity.identify.identify import ID as IDENTIFY, parse_identify_response
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt as xopen,
    crypto_aead_xchacha20poly1305_ietf_encrypt as xseal,
)

MAILBOX = "/kinfolk/mailbox/1"
BUCKETS = [512, 2_048, 8_192, 32_768, 65_536]
TAGS = 256
PAGE = 4_096
# What a whole command may take, in seconds.
PATIENCE = 90

checks = 0


def check(what, found, expected):
    global checks
    checks += 1
    if found != expected:
        raise SystemExit(f"{what}: expected {expected!r}, found {found!r}")


# Links (pages 1.5, 2.7, 7.6).


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def node_of_invite(link):
    signed = cbor2.loads(unbase64(link.removeprefix("kinfolk:")))
    invite = cbor2.loads(signed[0])
    check("version and network of the invite", (invite[0], invite[1]), (1, 1))
    return invite[5], invite[6]


def host_of_link(link):
    host = cbor2.loads(unbase64(link.removeprefix("kinfolk-mailbox:")))
    return host[0], host[1], host[2]


# Connections. A new one has a new Ed25519 key: nobody is who they were before.


class Visit:
    """One connection from a network identity that is used for it alone."""

    def __init__(self, peer, addresses):
        self.peer = ID(peer)
        self.addresses = [multiaddr.Multiaddr(address) for address in addresses if "/tcp/" in address]
        self.host = new_host(key_pair=create_new_key_pair(), muxer_preference="YAMUX")

    async def __aenter__(self):
        self.running = self.host.run(listen_addrs=[])
        await self.running.__aenter__()
        await self.host.connect(PeerInfo(self.peer, self.addresses))
        return self

    async def __aexit__(self, *error):
        return await self.running.__aexit__(*error)

    async def stream(self, protocol):
        return await self.host.new_stream(self.peer, [protocol])

    async def ask(self, request):
        """One request and one reply on a substream of its own (page 7.1)."""
        stream = await self.stream(MAILBOX)
        await stream.write(len(request).to_bytes(4, "big") + request)
        length = int.from_bytes(await read(stream, 4), "big")
        check("the reply is no longer than replies are", length <= 131_072, True)
        reply = await read(stream, length)
        await stream.close()
        return reply


async def read(stream, length):
    found = b""
    while len(found) < length:
        part = await stream.read(length - len(found))
        if not part:
            raise SystemExit(f"the stream ended after {len(found)} of {length} bytes")
        found += part
    return found


# Where things lie, and the seal (page 7.2).


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def hkdf(ikm, info):
    """HKDF-SHA256 with an empty salt, 32 bytes: one block."""
    return mac(mac(b"", ikm), info, b"\x01")


class Direction:
    """What goes from one device to another."""

    def __init__(self, pair_root, sender, recipient):
        self.key = mac(pair_root, b"kinfolk/1 direction", sender, recipient)

    def at(self, label, host, day, number):
        return mac(self.key, label, host, day.to_bytes(4, "big"), number.to_bytes(8, "big"))[:16]

    def tag(self, *place):
        return self.at(b"kinfolk/1 tag", *place)

    def erase_key(self, *place):
        return self.at(b"kinfolk/1 erase", *place)

    def seal_key(self, number):
        return hkdf(self.key, b"kinfolk/1 seal" + number.to_bytes(8, "big"))

    def seal(self, payload, host, day, number):
        tag = self.tag(host, day, number)
        nonce = mac(self.key, b"kinfolk/1 nonce", tag, payload)[:24]
        size = next(size for size in BUCKETS if size >= len(payload) + 42)
        padded = (payload + b"\x80").ljust(size - 41, b"\x00")
        return b"\x01" + nonce + xseal(padded, tag, nonce, self.seal_key(number))

    def open(self, blob, host, day, number):
        check("version of the seal", blob[0], 1)
        padded = xopen(blob[25:], self.tag(host, day, number), blob[1:25], self.seal_key(number))
        payload, end, padding = padded.rpartition(b"\x80")
        check("end of the payload", (end, padding.strip(b"\x00")), (b"\x80", b""))
        return payload


# Requests and replies (pages 7.1, 7.3).


def work_of(bits, blob):
    """One bit more for each doubling of the tokens that the size costs."""
    return bits + (-(-len(blob) // 2_048)).bit_length() - 1


def stamp(host, tag, blob, hour, bits):
    begin = b"kinfolk/1 work" + host + tag + hashlib.sha256(blob).digest() + hour.to_bytes(4, "big")
    nonce = 0
    while int.from_bytes(hashlib.sha256(begin + nonce.to_bytes(8, "big")).digest(), "big") >> (256 - bits):
        nonce += 1
    return b"\x02" + hour.to_bytes(4, "big") + nonce.to_bytes(8, "big")


def deposit(tag, lifetime, erase_key, admission, blob):
    return b"\x01" + tag + lifetime.to_bytes(2, "big") + hashlib.sha256(erase_key).digest() + admission + blob


def collect(room, tags):
    return bytes([2, room]) + b"".join(tags)


def erase(*erasures):
    return b"\x03" + b"".join(tag + key for tag, key in erasures)


DONE = b"\x00"


def refused(reply):
    """Reason and number."""
    check("a refusal", (reply[:1], len(reply)), (b"\x01", 6))
    return reply[1], int.from_bytes(reply[2:], "big")


def found(reply, room):
    """Whether there is more, and index to blob."""
    check("the length of a reply to a collect", len(reply), room * PAGE)
    check("the kind of a reply to a collect", reply[0], 2)
    blobs, at, last = {}, 4, -1
    for _ in range(int.from_bytes(reply[2:4], "big")):
        index, size = reply[at], BUCKETS[reply[at + 1]]
        check("indices ascend", index > last, True)
        blobs[index], at, last = reply[at + 2 : at + 2 + size], at + 2 + size, index
    check("the rest of a reply to a collect", reply[at:].strip(b"\x00"), b"")
    return reply[1] == 1, blobs


def among_others(tags):
    """These tags in a request of always as many, in random order; and the place of each."""
    everything = list(tags) + [os.urandom(16) for _ in range(TAGS - len(tags))]
    random.shuffle(everything)
    return everything, [everything.index(tag) for tag in tags]


# What is asked.


async def greet(link):
    peer, addresses = node_of_invite(link)
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
        for room in (1, 2, 32):
            nothing = await visit.ask(collect(room, [os.urandom(16) for _ in range(TAGS)]))
            check("nothing lies under tags that were made up", found(nothing, room), (False, {}))
        tags, places = among_others([post.tag(*first), post.tag(*second)])
        more, blobs = found(await visit.ask(collect(1, tags)), 1)
        check("both fit into one page", (more, sorted(blobs)), (False, sorted(places)))
        check("the first opens", post.open(blobs[places[0]], *first), payload)
        check("the second opens", post.open(blobs[places[1]], *second), longer)

        wrong = erase((post.tag(*first), os.urandom(16)))
        check("a wrong key is done as well", await visit.ask(wrong), DONE)
        tags, places = among_others([post.tag(*first)])
        more, blobs = found(await visit.ask(collect(1, tags)), 1)
        check("and erases nothing", list(blobs), places)
        keys = [(post.tag(*place), post.erase_key(*place)) for place in (first, second)]
        check("the right keys are done", await visit.ask(erase(*keys)), DONE)
        tags, _ = among_others([post.tag(*first), post.tag(*second)])
        check("and erase both", found(await visit.ask(collect(1, tags)), 1), (False, {}))


async def within(act, link):
    with trio.fail_after(PATIENCE):
        await act(link)


if __name__ == "__main__":
    acts = {"greet": greet, "mailbox": mailbox}
    if len(sys.argv) != 3 or sys.argv[1] not in acts:
        raise SystemExit(__doc__)
    trio.run(within, acts[sys.argv[1]], sys.argv[2].strip())
    print(f"checks: {checks}")
