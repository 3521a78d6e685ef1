"""Connections to a node, and the links by which one is found (pages 1.5, 2.7, 7.1, 7.6)."""

import base64

import cbor2
import multiaddr
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo

MAILBOX = "/kinfolk/mailbox/1"

checks = 0


def check(what, found, expected):
    global checks
    checks += 1
    if found != expected:
        raise SystemExit(f"{what}: expected {expected!r}, found {found!r}")


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def invite_of_link(link):
    """The fields of an invite."""
    invite = cbor2.loads(cbor2.loads(unbase64(link.removeprefix("kinfolk:")))[0])
    check("version and network of the invite", (invite[0], invite[1]), (1, 1))
    return invite


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
