"""A person of their own: becomes a contact of our node's person, leaves a message at a mailbox and fetches the answer
(pages 2 to 7). Sessions and encodings are those of the program that derives the vectors from the same pages."""

import os
import pathlib
import struct
import sys
import time

from mailbox import DONE, Direction, among_others, collect, deposit, erase, found, stamp, work_of
from node import Visit, check, host_of_link, invite_of_link, read

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "docs" / "protocol" / "vectors"))
import rederive as pages  # noqa: E402

DIRECT = "/kinfolk/direct/1"
HELLO, PAYLOAD, ACK, NACK, KNOCK, PREKEYS, CHAIN = range(1, 8)
TEXT, RECEIPT, REQUEST, ACCEPT, MAILBOXES = 1, 16, 32, 33, 37


class Drawn:
    """Randomness, where the vectors have what was drawn."""

    def take(self, count):
        return os.urandom(count)


def now():
    return int(time.time() * 1_000)


class Theirs:
    """What a device of somebody else has published (page 3.1)."""

    def __init__(self, invite, chain, bundle, pair):
        genesis, entries = chain[0], chain[1]
        self.identity = pages.sha256(genesis[0])
        self.head = pages.sha256(entries[-1][0])
        certificate = pages.cbor_read(entries[0][0])[6][1][0]
        self.device, self.dsk_public, self.dik_public = certificate[0], certificate[1], certificate[2]
        check("the genesis is that of the invite", genesis[0], invite[2][0])
        check("the first entry is that of the invite", entries[0][0], invite[3][0])
        check("length of the bundle", len(bundle), 1_449)
        fields = struct.unpack(">B32s16s32s32sI32sI1184sQQ32s64s", bundle)
        version, identity, device, dsk, dik, self.spk_id, self.spk, self.lrk_id, self.lrk, _, _, head, signature = fields
        check("the bundle is of this version, person and device", (version, identity, device), (1, self.identity, self.device))
        check("the bundle has the keys of the chain", (dsk, dik, head), (self.dsk_public, self.dik_public, self.head))
        pages.verify(dsk, b"kinfolk/1 bundle", bundle[:-64], signature)
        check("length of the one-time pair", len(pair), 1_284)
        self.otk_id, self.otk, self.otk_kem, signature = struct.unpack(">I32s1184s64s", pair)
        pages.verify(dsk, b"kinfolk/1 otk", device + pair[:-64], signature)


def begin(own, theirs, invite_id):
    """Page 3.2: the keys of the session, and what stands in front of its first messages."""
    ephemeral = os.urandom(32)
    public = pages.x25519_public(ephemeral)
    ciphertext, secret = pages.kem_encapsulate(theirs.otk_kem, os.urandom(32))
    exchanges = [(own.dik, theirs.spk), (ephemeral, theirs.dik_public), (ephemeral, theirs.spk), (ephemeral, theirs.otk)]
    material = b"\xff" * 32 + b"".join(pages.dh(*exchange) for exchange in exchanges) + secret
    parts = [b"\x01", b"X25519+ML-KEM-768 SHA-256 ChaCha20-Poly1305"]
    for person in (own, theirs):
        parts += [person.identity, person.device, person.dsk_public, person.dik_public]
    spk_id, otk_id = pages.u32(theirs.spk_id), pages.u32(theirs.otk_id)
    parts += [public, spk_id, theirs.spk, otk_id, theirs.otk, otk_id, theirs.otk_kem, ciphertext, invite_id]
    keys = pages.Keys(material, pages.sha256(b"".join(pages.lp(part) for part in parts)))
    return keys, b"\x12" + public + spk_id + otk_id + otk_id + ciphertext


class Conversation:
    """What two devices say to each other on one session."""

    def __init__(self, own, theirs, invite_id):
        self.own, self.theirs = own, theirs
        self.id = pages.conversation_id(own.identity, theirs.identity)
        self.keys, self.prefix = begin(own, theirs, invite_id)
        self.session = pages.Session.initiator(self.keys, theirs.spk, now(), Drawn())

    def seal(self, kind, body, lamport=0):
        """The id of a content, and the message that carries it (pages 5.1, 5.2)."""
        name = os.urandom(16)
        content = {0: name, 1: self.id, 2: now(), 3: lamport, 4: kind, 5: pages.cbor(body)}
        plaintext = {0: self.own.head, 1: self.theirs.head[:8], 3: pages.cbor(content)}
        return name, self.prefix + self.session.seal(pages.cbor(plaintext), now(), Drawn())

    def open(self, message):
        """Kind, id and body of what a message says. Once one of theirs has opened there are no Inits any more."""
        plaintext = pages.cbor_read(self.session.open(message, now()))
        self.prefix = b""
        check("the head of their chain", plaintext[0], self.theirs.head)
        content = pages.cbor_read(plaintext[3])
        check("where it is said", content[1], self.id)
        return content[4], content[0], pages.cbor_read(content[5])


class Stream:
    """The stream between two devices (page 6.2)."""

    def __init__(self, stream):
        self.stream, self.sent, self.received = stream, 0, 0

    async def send(self, kind, body):
        self.sent += 1
        counted = pages.u8(kind) + pages.u64(self.sent) + body
        await self.stream.write(pages.u32(len(counted)) + counted)
        return self.sent

    async def next(self):
        """The next frame that is no answer; it is acknowledged."""
        while True:
            length = int.from_bytes(await read(self.stream, 4), "big")
            frame = await read(self.stream, length)
            kind, number, body = frame[0], int.from_bytes(frame[1:9], "big"), frame[9:]
            self.received += 1
            check("frames are numbered without a gap", number, self.received)
            check("nothing is refused", kind == NACK, False)
            if kind != ACK:
                await self.send(ACK, pages.u64(number) * 2)
                return kind, body


async def meet(invite, own, name):
    """First contact (page 6.6). Gives the conversation, and the mailboxes that they name."""
    invite_id = pages.invite_id(invite[7])
    async with Visit(invite[5], invite[6]) as visit:
        peer = visit.host.get_id().to_bytes()
        stream = Stream(await visit.stream(DIRECT))
        nonce = os.urandom(16)
        proof = pages.hmac(invite[7], b"kinfolk/1 knock" + nonce + peer + invite[5])
        await stream.send(KNOCK, invite_id + nonce + proof)
        kind, body = await stream.next()
        check("a knock is answered with prekeys", kind, PREKEYS)
        prekeys = pages.cbor_read(body)
        conversation = Conversation(own, Theirs(invite, prekeys[0], prekeys[1], prekeys[2]), invite_id)
        _, init = conversation.seal(REQUEST, {0: name, 1: invite_id, 2: {0: peer, 1: []}, 3: []})
        await stream.send(CHAIN, pages.cbor({0: invite_id, 1: own.chain, 2: own.device, 3: init}))
        accepted, hosts = False, None
        while not accepted or hosts is None:
            kind, body = await stream.next()
            if kind == HELLO:
                # Each proves its device (page 6.3).
                who = conversation.theirs
                check("who says hello", body[:80], who.identity + who.device + who.head)
                pages.verify(who.dsk_public, b"kinfolk/1 hello", peer + invite[5] + b"\x02" + body[:80], body[80:])
                said = own.identity + own.device + own.head
                hello = pages.sign(own.dsk, b"kinfolk/1 hello", peer + invite[5] + b"\x01" + said)
                await stream.send(HELLO, said + hello)
            if kind != PAYLOAD:
                continue
            kind, _, said = conversation.open(body)
            if kind == ACCEPT:
                accepted = True
            elif kind == MAILBOXES:
                check("the version of that word is a time", 0 < said[2] <= now() + 60_000, True)
                hosts = said[0]
        return conversation, hosts


async def correspond(invite_link, mailbox_link):
    invite, (host, addresses, bits) = invite_of_link(invite_link), host_of_link(mailbox_link)
    secrets = {"entropy": os.urandom(32).hex(), "dsk_private": os.urandom(32).hex(), "dik_private": os.urandom(32).hex()}
    own = pages.Person({**secrets, "sealed_name": os.urandom(48).hex(), "made_at": now()})
    conversation, hosts = await meet(invite, own, "Pia")
    check("the mailboxes that they name", [named[0] for named in hosts], [host])

    # Where to answer, and a line; they are not there.
    pair = conversation.keys.pair
    there = Direction(pair, own.device, conversation.theirs.device)
    back = Direction(pair, conversation.theirs.device, own.device)
    _, where = conversation.seal(MAILBOXES, {0: [{0: host, 1: addresses, 2: bits}], 1: [], 2: now()})
    line, said = conversation.seal(TEXT, {0: "Hello from another program"}, 1)
    day, hour = now() // 86_400_000, now() // 3_600_000
    async with Visit(host, addresses) as visit:
        for number, message in ((day * 4096 + 1, where), (day * 4096 + 2, said)):
            place = (host, day, number)
            blob, tag = there.seal(message, *place), there.tag(*place)
            work = stamp(host, tag, blob, hour, work_of(bits, blob))
            check("a deposit is done", await visit.ask(deposit(tag, 720, there.erase_key(*place), work, blob)), DONE)
    print("left", flush=True)
    sys.stdin.readline()

    # They were there in the meantime, and are gone.
    day = now() // 86_400_000
    places = [(host, at, number) for at in (day - 1, day, day + 1) for number in range(at * 4096 + 1, at * 4096 + 13)]
    async with Visit(host, addresses) as visit:
        tags, order = among_others([back.tag(*place) for place in places])
        _, blobs = found(await visit.ask(collect(128, tags)), 128)
        known = dict(zip(order, places))
        check("nothing lies under tags that were made up", set(blobs) <= set(known), True)
        taken = sorted((known[index], blob) for index, blob in blobs.items())
        contents = [conversation.open(back.open(blob, *place)) for place, blob in taken]
        receipts = [body for kind, _, body in contents if kind == RECEIPT]
        check("the line is receipted", line in [id for body in receipts for id in body[0]], True)
        texts = [body[0] for kind, _, body in contents if kind == TEXT]
        check("what they answered", texts, ["Hello yourself"])
        keys = [(back.tag(*place), back.erase_key(*place)) for place, _ in taken]
        check("it is erased", await visit.ask(erase(*keys)), DONE)
