#!/usr/bin/env python3
"""Derives every vector of this folder again, from the pages of docs/protocol alone.

Primitives come from the packages `cryptography` (X25519, Ed25519, ChaCha20-Poly1305), `kyber-py` (ML-KEM-768) and the
standard library; the BIP-39 word list from `mnemonic`. Everything else, BLAKE3 too, is written here as the pages say
it. Prints `checks: N` at the end, or the first difference, and then ends with status 1.
"""

import base64
import hashlib
import hmac as hmac_module
import json
import pathlib
import struct
import sys
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from kyber_py.ml_kem import ML_KEM_768
from mnemonic import Mnemonic

FOLDER = pathlib.Path(__file__).resolve().parent
CHECKS = 0


class Difference(Exception):
    """A vector is not what the pages say."""


class Refused(Exception):
    """A message does not open."""


def same(what, found, expected):
    global CHECKS
    CHECKS += 1
    if found != expected:
        show = lambda value: value.hex() if isinstance(value, bytes) else repr(value)
        raise Difference(f"{what}\n   derived {show(found)[:400]}\n  in file  {show(expected)[:400]}")


def true(what, holds):
    same(what, bool(holds), True)


def h(text):
    return bytes.fromhex(text)


def load(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


# ---------------------------------------------------------------- page 1: primitives


def u8(n):
    return struct.pack(">B", n)


def u16(n):
    return struct.pack(">H", n)


def u32(n):
    return struct.pack(">I", n)


def u64(n):
    return struct.pack(">Q", n)


def lp(part):
    return u32(len(part)) + part


ZEROS = bytes(32)


def sha256(data):
    return hashlib.sha256(data).digest()


def sha512(data):
    return hashlib.sha512(data).digest()


def hmac(key, data):
    return hmac_module.new(key, data, hashlib.sha256).digest()


def hkdf(salt, ikm, info, length):
    prk, block, out, count = hmac(salt, ikm), b"", b"", 1
    while len(out) < length:
        block = hmac(prk, block + info + u8(count))
        out, count = out + block, count + 1
    return out[:length]


def hkdf_keys(salt, ikm, info, count):
    out = hkdf(salt, ikm, info, 32 * count)
    return [out[32 * at : 32 * at + 32] for at in range(count)]


def x25519_public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def dh(private, public):
    # The package refuses a result of zeros itself.
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))


def ed25519_public(private):
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def sign(private, label, message):
    return Ed25519PrivateKey.from_private_bytes(private).sign(label + message)


def verify(public, label, message, signature):
    Ed25519PublicKey.from_public_bytes(public).verify(signature, label + message)


def kem_public(seed):
    return ML_KEM_768.key_derive(seed)[0]


def kem_encapsulate(key, randomness):
    secret, ciphertext = ML_KEM_768._encaps_internal(key, randomness)
    return ciphertext, secret


def kem_decapsulate(seed, ciphertext):
    return ML_KEM_768.decaps(ML_KEM_768.key_derive(seed)[1], ciphertext)


def aead(key, nonce, plaintext, associated):
    return ChaCha20Poly1305(key).encrypt(nonce, plaintext, associated)


def aead_open(key, nonce, sealed, associated):
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, associated)
    except InvalidTag:
        return None


def hchacha20(key, nonce):
    """draft-irtf-cfrg-xchacha-03, section 2.2."""
    state = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            mixed = state[z] ^ state[x]
            state[z] = ((mixed << turn) | (mixed >> (32 - turn))) & 0xFFFFFFFF

    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
            quarter(a, b, c, d)
        for a, b, c, d in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(a, b, c, d)
    return struct.pack("<8I", *state[:4], *state[12:])


def xaead(key, nonce, plaintext, associated):
    return aead(hchacha20(key, nonce[:16]), bytes(4) + nonce[16:], plaintext, associated)


def xaead_open(key, nonce, sealed, associated):
    return aead_open(hchacha20(key, nonce[:16]), bytes(4) + nonce[16:], sealed, associated)


# ---------------------------------------------------------------- page 1: CBOR


def cbor_head(major, argument):
    if argument < 24:
        return u8(major << 5 | argument)
    for extra, limit, pack in ((24, 1 << 8, u8), (25, 1 << 16, u16), (26, 1 << 32, u32), (27, 1 << 64, u64)):
        if argument < limit:
            return u8(major << 5 | extra) + pack(argument)
    raise ValueError(argument)


def cbor(value):
    """A record is a dict from field number to value, without the fields that are None."""
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, int):
        return cbor_head(0, value)
    if isinstance(value, bytes):
        return cbor_head(2, len(value)) + value
    if isinstance(value, str):
        return cbor_head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return cbor_head(4, len(value)) + b"".join(cbor(item) for item in value)
    fields = sorted((cbor(number), cbor(item)) for number, item in value.items() if item is not None)
    return cbor_head(5, len(fields)) + b"".join(number + item for number, item in fields)


def cbor_read(data):
    value, rest = cbor_item(data)
    true("one CBOR item and no more", rest == b"")
    true("CBOR in its one encoding", cbor(value) == data)
    return value


def cbor_item(data):
    major, argument, at = data[0] >> 5, data[0] & 31, 1
    if argument >= 24:
        size = 1 << (argument - 24)
        argument, at = int.from_bytes(data[1 : 1 + size], "big"), 1 + size
    rest = data[at:]
    if major == 0:
        return argument, rest
    if major == 2:
        return rest[:argument], rest[argument:]
    if major == 3:
        return rest[:argument].decode(), rest[argument:]
    if major == 4:
        items = []
        for _ in range(argument):
            item, rest = cbor_item(rest)
            items.append(item)
        return items, rest
    if major == 5:
        record = {}
        for _ in range(argument):
            number, rest = cbor_item(rest)
            record[number], rest = cbor_item(rest)
        return record, rest
    raise ValueError(f"CBOR major type {major}")


# ---------------------------------------------------------------- page 2: identity


class Person:
    """What follows from the secrets of a person with one device."""

    def __init__(self, secrets):
        entropy = h(secrets["entropy"])
        self.words = Mnemonic("english").to_mnemonic(entropy)
        recovery = hkdf(ZEROS, entropy, b"kinfolk/1 recovery sign", 32)
        nonce = hkdf(ZEROS, entropy, b"kinfolk/1 recovery nonce", 32)
        self.dsk, self.dik = h(secrets["dsk_private"]), h(secrets["dik_private"])
        self.dsk_public, self.dik_public = ed25519_public(self.dsk), x25519_public(self.dik)
        self.device = sha256(b"kinfolk/1 dev id" + self.dsk_public + self.dik_public)[:16]

        payload = cbor({0: 1, 1: ed25519_public(recovery), 2: nonce})
        self.genesis = {0: payload, 1: sign(recovery, b"kinfolk/1 genesis", payload)}
        self.identity = sha256(payload)
        certificate = {0: self.device, 1: self.dsk_public, 2: self.dik_public, 3: 1, 4: h(secrets["sealed_name"])}
        entry = {0: 1, 1: self.identity, 2: 1, 3: [sha256(payload)], 4: secrets["made_at"], 6: [1, [certificate]]}
        payload = cbor(entry)
        self.entry = {
            0: payload,
            1: sign(recovery, b"kinfolk/1 entry", payload),
            2: sign(self.dsk, b"kinfolk/1 device", payload),
        }
        self.head = sha256(payload)
        self.chain = {0: self.genesis, 1: [self.entry]}


def safety_digits(identity):
    digest = sha512(b"kinfolk/1 safety" + identity)
    for _ in range(5199):
        digest = sha512(digest + identity)
    return [f"{int.from_bytes(digest[at:at + 5], 'big') % 100000:05}" for at in range(0, 30, 5)]


def safety_number(a, b):
    return " ".join(safety_digits(min(a, b)) + safety_digits(max(a, b)))


def conversation_id(a, b):
    return sha256(b"kinfolk/1 chat" + min(a, b) + max(a, b))


def invite_id(secret):
    return hmac(secret, b"kinfolk/1 id")[:16]


def check_identity():
    file = load("identity.json")
    people = [Person(person["secrets"]) for person in file["people"]]
    for person, told in zip(people, file["people"]):
        same("words", person.words, told["words"])
        same("entropy from the words", bytes(Mnemonic("english").to_entropy(told["words"])), h(told["secrets"]["entropy"]))
        same("identity", person.identity, h(told["identity"]))
        same("genesis", cbor(person.genesis), h(told["genesis"]))
        same("entry", cbor(person.entry), h(told["entry"]))
        same("chain", cbor(person.chain), h(told["chain"]))
        same("head", person.head, h(told["head"]))
        cbor_read(h(told["chain"]))
    for pair in file["pairs"]:
        a, b = h(pair["a"]), h(pair["b"])
        same("safety number", safety_number(a, b), pair["safety_number"])
        same("conversation id", conversation_id(a, b), h(pair["conversation"]))
    true("three people in pairs", len(file["pairs"]) == 9 and len(file["invites"]) == 2)
    for told in file["invites"]:
        by = next(person for person in people if person.identity == h(told["by"]))
        payload = cbor(
            {
                0: 1,
                1: 1,
                2: by.genesis,
                3: by.entry,
                4: told["name"],
                5: h(told["peer"]),
                6: told["addresses"],
                7: h(told["secret"]),
                8: told["expires_at"],
                9: told["uses"],
                10: [host_of(host) for host in told["mailboxes"]],
            }
        )
        signed = cbor({0: payload, 1: sign(by.dsk, b"kinfolk/1 invite", payload)})
        link = "kinfolk:" + base64.urlsafe_b64encode(signed).decode().rstrip("=")
        same("invite link", link, told["link"])
        true("an invite link is short", len(link) <= 1400)
        same("invite id", invite_id(h(told["secret"])), h(told["id"]))
        for what in ("prekeys", "requests"):
            same(f"key of {what}", hmac(h(told["secret"]), f"kinfolk/1 meet {what}".encode()), h(told[f"{what}_key"]))
    true("three invoices", len(file["invoices"]) == 3)
    for told in file["invoices"]:
        by = next(person for person in people if person.identity == h(told["by"]))
        code = told["code"].encode().ljust(8, b"\0")
        payload = cbor(
            {
                0: h(told["number"]),
                1: {0: h(told["currency"]), 1: code, 2: told["decimals"], 3: told["units"]},
                2: h(told["account"]),
                3: by.identity,
                4: by.device,
                5: told["memo"] and {0: told["memo"]},
                6: told["expires_at"],
                7: merchant_certificate(told["certificate"]),
            }
        )
        true("an invoice is short", len(payload) <= 700)
        signed = cbor({0: payload, 1: sign(by.dsk, b"kinfolk/1 invoice", payload)})
        link = "kinfolk:invoice/" + base64.urlsafe_b64encode(signed).decode().rstrip("=")
        same("a link to an invoice", link, told["link"])


# ---------------------------------------------------------------- page 3: prekeys and handshake


class Prekeyed(Person):
    """A person whose device has prekeys."""

    def __init__(self, secrets):
        super().__init__(secrets["person"])
        self.spk, self.spk_id = h(secrets["spk_private"]), secrets["spk_id"]
        self.lrk, self.lrk_id = h(secrets["lrk_seed"]), secrets["lrk_id"]
        self.otk, self.otk_kem, self.otk_id = h(secrets["otk_x25519_private"]), h(secrets["otk_kem_seed"]), secrets["otk_id"]
        front = b"".join(
            [
                u8(1) + self.identity + self.device + self.dsk_public + self.dik_public,
                u32(self.spk_id) + x25519_public(self.spk) + u32(self.lrk_id) + kem_public(self.lrk),
                u64(secrets["not_before"]) + u64(secrets["not_after"]) + self.head,
            ]
        )
        self.bundle = front + sign(self.dsk, b"kinfolk/1 bundle", front)
        front = u32(self.otk_id) + x25519_public(self.otk) + kem_public(self.otk_kem)
        self.one_time = front + sign(self.dsk, b"kinfolk/1 otk", self.device + front)


class Drawn:
    """The bytes that a program drew, taken in their order."""

    def __init__(self, text):
        self.rest = h(text)

    def take(self, count):
        taken, self.rest = self.rest[:count], self.rest[count:]
        true("enough was drawn", len(taken) == count)
        return taken

    def end(self):
        same("what was drawn and not used", self.rest, b"")


def transcript(a, b, ephemeral, otk, kem, ciphertext, invite):
    parts = [b"\x01", b"X25519+ML-KEM-768 SHA-256 ChaCha20-Poly1305"]
    for person in (a, b):
        parts += [person.identity, person.device, person.dsk_public, person.dik_public]
    parts += [ephemeral, u32(b.spk_id), x25519_public(b.spk), *otk, *kem, ciphertext, invite]
    return sha256(b"".join(lp(part) for part in parts))


class Keys:
    """What a handshake derives."""

    def __init__(self, material, hash_):
        self.material, self.transcript = material, hash_
        okm = hkdf_keys(ZEROS, material, b"kinfolk/1 pqxdh" + hash_, 6)
        self.root, self.header_a, self.header_b, self.pq, self.session, self.pair = okm
        self.okm = b"".join(okm)


def prekeys_used(b, one_time):
    """Id and key of the one-time pair in the transcript, then id, public key and seed of the KEM key."""
    if one_time:
        return (u32(b.otk_id), x25519_public(b.otk)), u32(b.otk_id), b.otk_kem
    return (b"", b""), u32(b.lrk_id), b.lrk


def initiate(a, b, one_time, invite, drawn):
    """The initiator's side: her keys, and the bytes in front of her first messages."""
    ephemeral, randomness = drawn.take(32), drawn.take(32)
    otk, kem_id, seed = prekeys_used(b, one_time)
    kem_key = kem_public(seed)
    ciphertext, secret = kem_encapsulate(kem_key, randomness)
    spk = x25519_public(b.spk)
    material = b"\xff" * 32 + dh(a.dik, spk) + dh(ephemeral, b.dik_public) + dh(ephemeral, spk)
    if one_time:
        material += dh(ephemeral, x25519_public(b.otk))
    public = x25519_public(ephemeral)
    keys = Keys(material + secret, transcript(a, b, public, otk, (kem_id, kem_key), ciphertext, invite))
    prefix = b"\x12" + public + u32(b.spk_id) + (otk[0] or u32(0)) + kem_id + ciphertext
    return keys, prefix


def respond(a, b, one_time, invite, init):
    """The responder's side: the same keys from the other private halves, and the ratchet message."""
    true("first byte of an Init", init[:1] == b"\x12")
    public, rest = init[1:33], init[33:]
    spk_id, otk_id, kem_id = rest[:4], rest[4:8], rest[8:12]
    ciphertext, message = rest[12:1100], rest[1100:]
    otk, expected_kem_id, seed = prekeys_used(b, one_time)
    same("prekeys named by an Init", (spk_id, otk_id, kem_id), (u32(b.spk_id), otk[0] or u32(0), expected_kem_id))
    material = b"\xff" * 32 + dh(b.spk, a.dik_public) + dh(b.dik, public) + dh(b.spk, public)
    if one_time:
        material += dh(b.otk, public)
    material += kem_decapsulate(seed, ciphertext)
    keys = Keys(material, transcript(a, b, public, otk, (kem_id, kem_public(seed)), ciphertext, invite))
    return keys, message


def check_handshake():
    file = load("handshake.json")
    a, b = Person(file["initiator"]), Prekeyed(file["responder"])
    same("bundle", b.bundle, h(file["bundle"]))
    same("one-time pair", b.one_time, h(file["one_time"]))
    same("lengths of bundle and one-time pair", (len(b.bundle), len(b.one_time)), (1449, 1284))
    combinations = set()
    for told in file["handshakes"]:
        invite = h(told["invite"] or "")
        combinations.add((told["one_time"], bool(invite)))
        drawn = Drawn(told["drawn_to_initiate"])
        keys, prefix = initiate(a, b, told["one_time"], invite, drawn)
        same("KM", keys.material, h(told["km"]))
        same("T", keys.transcript, h(told["t"]))
        same("OKM", keys.okm, h(told["okm"]))
        same("SID", keys.session, h(told["sid"]))
        same("name of the Init", sha256(prefix[1:33])[:16], h(told["init_digest"]))
        same("K_dir from A to B", hmac(keys.pair, a.device + b.device), h(told["k_dir_a_to_b"]))
        same("K_dir from B to A", hmac(keys.pair, b.device + a.device), h(told["k_dir_b_to_a"]))
        session = Session.initiator(keys, x25519_public(b.spk), 0, drawn)
        drawn.end()
        drawn = Drawn(told["drawn_to_encrypt"])
        message = prefix + session.seal(h(told["plaintext"]), 0, drawn)
        drawn.end()
        same("first message", message, h(told["message"]))

        their_keys, inner = respond(a, b, told["one_time"], invite, h(told["message"]))
        same("OKM of the responder", their_keys.okm, keys.okm)
        answering = Session.responder(their_keys, b.spk, 0)
        same("first message opened", answering.open(inner, 0), h(told["plaintext"]))
    same("kinds of handshake", len(combinations), 4)


# ---------------------------------------------------------------- page 4: ratchet


MAX_JUMP = 2000
DAY = 24 * 60 * 60 * 1000


def pad(content):
    marked = len(content) + 1
    return content + b"\x80" + bytes(padded_length(marked) - marked)


def padded_length(marked):
    if marked <= 1280:
        return -(-marked // 160) * 160
    e = marked.bit_length() - 1
    s = e.bit_length()
    unit = 1 << (e - s)
    return -(-marked // unit) * unit


def unpad(padded):
    content = padded.rstrip(b"\x00")
    if content[-1:] != b"\x80":
        raise Refused("no padding")
    return content[:-1]


def chain_step(chain):
    return hmac(chain, b"\x01"), hmac(chain, b"\x02")


class Session:
    """One side of a session. `party` is 0 for A, 1 for B."""

    def __init__(self, keys, party, now):
        self.id, self.party = keys.session, party
        self.root = keys.root
        self.own, self.theirs = None, None
        self.send_header, self.send_chain, self.send_number, self.send_previous = None, None, 0, 0
        self.receive_header, self.receive_chain, self.receive_number = None, None, 0
        self.next_send_header = (keys.header_a, keys.header_b)[party]
        self.next_receive_header = (keys.header_b, keys.header_a)[party]
        self.step_due = False
        self.received = 0
        self.replaced, self.skipped = [], {}
        self.pq_root, *chains = hkdf_keys(ZEROS, keys.pq, b"kinfolk/1 pq init", 3)
        self.pq_epoch = 0
        self.pq_send = [0, chains[party], 0]
        self.pq_send_previous = 0
        self.pq_receive = [0, chains[1 - party], 0]
        self.pq_upcoming = None
        self.offer = self.asked = self.answer = None
        self.pq_messages, self.pq_since = 0, now
        self.steps, self.most_rides = 0, 0

    @classmethod
    def initiator(cls, keys, their_prekey, now, drawn):
        session = cls(keys, 0, now)
        session.theirs, session.step_due = their_prekey, True
        session.our_step(drawn)
        return session

    @classmethod
    def responder(cls, keys, prekey, now):
        session = cls(keys, 1, now)
        session.own = prekey
        return session

    # ---- sending

    def our_step(self, drawn):
        self.own = drawn.take(32)
        step = hkdf_keys(self.root, dh(self.own, self.theirs), b"kinfolk/1 root", 3)
        self.send_header = self.next_send_header
        self.root, self.send_chain, self.next_send_header = step
        self.send_number, self.step_due = 0, False
        self.steps += 1

    def enter_epoch(self, secret, key, ciphertext, now):
        info = b"kinfolk/1 pq" + u32(self.pq_epoch + 1) + sha256(key + ciphertext)
        self.pq_root, *chains = hkdf_keys(self.pq_root, secret, info, 3)
        self.pq_epoch += 1
        self.pq_messages, self.pq_since = 0, now
        self.pq_upcoming = chains[1 - self.party]
        return chains[self.party]

    def send_under(self, chain):
        self.pq_send_previous = self.pq_send[2]
        self.pq_send = [self.pq_epoch, chain, 0]

    def rides(self, exchange):
        exchange["sent"] += 1
        self.most_rides = max(self.most_rides, exchange["sent"])
        return exchange["sent"] <= 4 or exchange["sent"] % 8 == 4

    def seal(self, plaintext, now, drawn):
        if self.step_due:
            self.our_step(drawn)
        if self.asked is not None:
            ciphertext, secret = kem_encapsulate(self.asked, drawn.take(32))
            self.answer = {"ct": ciphertext, "chain": self.enter_epoch(secret, self.asked, ciphertext, now), "sent": 0}
            self.asked = None
        due = self.pq_messages >= 64 or now - self.pq_since >= DAY
        if not self.offer and not self.answer and due and (self.pq_epoch + 1) % 2 == 1 - self.party:
            self.offer = {"seed": drawn.take(64), "sent": 0}
        self.pq_messages += 1
        flags, riding = 0, b""
        if self.offer and self.rides(self.offer):
            flags, riding = 1, kem_public(self.offer["seed"])
        if self.answer and self.rides(self.answer):
            flags, riding = 2, self.answer["ct"]

        mk_ec, self.send_chain = chain_step(self.send_chain)
        mk_pq, self.pq_send[1] = chain_step(self.pq_send[1])
        header = x25519_public(self.own) + u32(self.send_previous) + u32(self.send_number)
        header += u32(self.pq_send[0]) + u32(self.pq_send_previous) + u32(self.pq_send[2]) + u8(flags) + riding
        self.send_number += 1
        self.pq_send[2] += 1

        nonce = drawn.take(24)
        front = b"\x11" + u16(len(header) + 16)
        front += nonce + xaead(self.send_header, nonce, header, self.id + front)
        keys = hkdf(mk_pq, mk_ec, b"kinfolk/1 msg" + nonce, 44)
        return front + aead(keys[:32], keys[32:], pad(plaintext), self.id + front)

    # ---- opening

    def open_header(self, nonce, sealed, associated):
        candidates = [("present", self.receive_header), ("next", self.next_receive_header)]
        candidates += [(chain, chain["header"]) for chain in reversed(self.replaced)]
        for place, key in candidates:
            header = key and xaead_open(key, nonce, sealed, associated)
            if header:
                return place, header
        raise Refused("no header key fits")

    def open(self, message, now):
        if message[:1] != b"\x11":
            raise Refused("no ratchet message")
        length = int.from_bytes(message[1:3], "big")
        nonce, sealed, body = message[3:27], message[27 : 27 + length], message[27 + length :]
        if length > 2341 or len(sealed) != length:
            raise Refused("length of the header")
        place, header = self.open_header(nonce, sealed, self.id + message[:3])
        key, rest = header[:32], header[53:]
        previous, number, pq_epoch, pq_previous, pq_number = struct.unpack(">5I", header[32:52])
        flags = header[52]
        if flags & 1:
            offer, rest = rest[:1184], rest[1184:]
        if flags & 2:
            answer, rest = rest[:1088], rest[1088:]
        if flags > 3 or rest:
            raise Refused("form of the header")
        ordinal = self.ordinal(place, key, previous, number)
        associated = self.id + message[: 27 + length]

        if ordinal < self.received:
            if ordinal not in self.skipped:
                raise Refused("opened before")
            plaintext = self.open_body(self.skipped[ordinal], nonce, body, associated)
            del self.skipped[ordinal]
        else:
            plaintext = self.open_ahead(place, key, previous, number, (pq_epoch, pq_previous, pq_number), ordinal, nonce, body, associated)
        self.replaced = [chain for chain in self.replaced if self.outstanding(chain)]

        self.pq_messages += 1
        if pq_epoch == self.pq_epoch:
            ours_to_offer = (self.pq_epoch + 1) % 2 == 1 - self.party
            if flags & 1 and not ours_to_offer and self.asked is None and self.answer is None:
                self.asked = offer
            elif flags & 2 and self.offer:
                secret = kem_decapsulate(self.offer["seed"], answer)
                self.send_under(self.enter_epoch(secret, kem_public(self.offer["seed"]), answer, now))
                self.offer = None
        return plaintext

    def outstanding(self, chain):
        return any(chain["base"] <= ordinal < chain["base"] + chain["length"] for ordinal in self.skipped)

    def ordinal(self, place, key, previous, number):
        if place == "present":
            if key != self.theirs or number - self.receive_number > MAX_JUMP:
                raise Refused("not on this chain")
            return self.received - self.receive_number + number
        if place == "next":
            if not 0 <= previous - self.receive_number <= MAX_JUMP or number > MAX_JUMP:
                raise Refused("too far")
            return self.received + previous - self.receive_number + number
        if number >= place["length"]:
            raise Refused("behind the end of its chain")
        return place["base"] + number

    def open_body(self, extracted, nonce, body, associated):
        # The second half of HKDF: two blocks of 32 bytes hold the 44 that are needed.
        first = hmac(extracted, b"kinfolk/1 msg" + nonce + b"\x01")
        second = hmac(extracted, first + b"kinfolk/1 msg" + nonce + b"\x02")
        padded = aead_open(first, second[:12], body, associated)
        if padded is None:
            raise Refused("the body is not genuine")
        return unpad(padded)

    def open_ahead(self, place, key, previous, number, pq, ordinal, nonce, body, associated):
        pq_epoch, pq_previous, pq_number = pq
        base = self.received - self.pq_receive[2]
        if pq_epoch == self.pq_receive[0]:
            pq_end, fits = None, base + pq_number == ordinal
        else:
            pq_end = base + pq_previous
            known = self.pq_upcoming is not None and pq_epoch == self.pq_receive[0] + 1
            fits = known and self.received <= pq_end <= ordinal and pq_end + pq_number == ordinal
        if not fits:
            raise Refused("the two ratchets contradict each other")

        chain, end = self.receive_chain, None
        if place == "next":
            if self.step_due:
                raise Refused("not their turn")
            root, new_chain, next_header = hkdf_keys(self.root, dh(self.own, key), b"kinfolk/1 root", 3)
            end = ordinal - number
        pq_chain = self.pq_receive[1]
        passed = {}
        for at in range(self.received, ordinal + 1):
            if at == end:
                chain = new_chain
            if at == pq_end:
                pq_chain = self.pq_upcoming
            mk_ec, chain = chain_step(chain)
            mk_pq, pq_chain = chain_step(pq_chain)
            passed[at] = hmac(mk_pq, mk_ec)
        plaintext = self.open_body(passed.pop(ordinal), nonce, body, associated)

        if place == "next":
            if self.receive_header is not None:
                begin = self.received - self.receive_number
                self.replaced.append({"header": self.receive_header, "base": begin, "length": previous})
            self.receive_header, self.next_receive_header = self.next_receive_header, next_header
            self.root, self.theirs, self.own = root, key, None
            # The chain before was ours until now: its length goes into our next headers.
            self.send_previous = self.send_number
            self.step_due = True
            self.steps += 1
        self.receive_chain, self.receive_number = chain, number + 1
        if pq_epoch != self.pq_receive[0]:
            self.pq_upcoming = None
            if self.answer:
                self.send_under(self.answer["chain"])
                self.answer = None
        self.pq_receive = [pq_epoch, pq_chain, pq_number + 1]
        self.skipped.update(passed)
        self.received = ordinal + 1
        return plaintext


def check_conversation():
    file = load("conversation.json")
    a, b = Person(file["initiator"]), Prekeyed(file["responder"])
    began = file["began"]
    drawn = Drawn(file["drawn_to_initiate"])
    keys, prefix = initiate(a, b, True, b"", drawn)
    sessions = {"a": Session.initiator(keys, x25519_public(b.spk), began, drawn), "b": None}
    drawn.end()
    plaintexts, messages, opened, overtaken, confirmed = {}, {}, set(), 0, False
    for event in file["events"]:
        act, by, number, now = event["act"], event["by"], event["number"], event["now"]
        session = sessions[by]
        if act == "seal":
            drawn = Drawn(event["drawn"])
            message = session.seal(h(event["plaintext"]), now, drawn)
            drawn.end()
            if by == "a" and not confirmed:
                message = prefix + message
            same(f"message {number}", message, h(event["message"]))
            messages[number], plaintexts[number] = h(event["message"]), h(event["plaintext"])
            continue
        message = messages[number]
        if act == "refuse altered":
            place = event["place"]
            message = message[:place] + u8(message[place] ^ 1 << place % 8) + message[place + 1 :]
        if message[:1] == b"\x12":
            their_keys, message = respond(a, b, True, b"", message)
            if session is None:
                same("session of the responder", their_keys.okm, keys.okm)
                session = sessions[by] = Session.responder(their_keys, b.spk, began)
        if act == "open":
            before = session.received
            same(f"message {number} opened", session.open(message, now), plaintexts[number])
            overtaken += session.received == before
            opened.add(number)
            confirmed = confirmed or by == "a"
        else:
            before = json.dumps(session.__dict__, default=lambda value: value.hex())
            try:
                session.open(message, now)
                raise Difference(f"message {number} opened ({act})")
            except Refused:
                pass
            same("a refusal leaves no trace", json.dumps(session.__dict__, default=lambda value: value.hex()), before)
    true("200 messages and more", len(messages) >= 200)
    true("some were lost", len(messages) - len(opened) >= 10)
    true("some were overtaken", overtaken >= 10)
    for name, session in sessions.items():
        true("many Diffie-Hellman steps", session.steps >= 40)
        true("several post-quantum epochs", session.pq_epoch >= 2 and session.pq_receive[0] >= 2)
    true("an offer and an answer had to be repeated", all(session.most_rides >= 20 for session in sessions.values()))
    print(
        f"conversation: {len(messages)} messages, {len(opened)} opened, {overtaken} of them overtaken, "
        f"{sessions['a'].steps} steps, {sessions['a'].pq_epoch} epochs"
    )


# ---------------------------------------------------------------- page 5: content


def reach(told):
    return {0: h(told["peer"]), 1: told["addresses"]}


def merchant_certificate(told):
    return told and [told["expires"], h(told["signature"])]


def merchant_words(told):
    certificate = merchant_certificate(told["certificate"])
    return {0: h(told["currency"]), 1: h(told["account"]), 2: certificate}


def sum_of(told):
    code = told["code"].encode().ljust(8, b"\0")
    return {0: h(told["currency"]), 1: code, 2: told["decimals"], 3: told["units"]}


def body_of(told):
    kind = told["kind"]
    if "unknown" in told:
        return kind, h(told["unknown"])
    record = {
        1: lambda: {0: told["text"]},
        2: lambda: {0: told["pack"], 1: told["sticker"]},
        3: lambda: {0: told["uri"]},
        16: lambda: {0: [h(id) for id in told["delivered"]], 1: [h(id) for id in told["read"]]},
        32: lambda: {
            0: told["name"],
            1: h(told["invite"]),
            2: reach(told["reach"]),
            3: [host_of(host) for host in told["mailboxes"]],
        },
        33: lambda: {0: told["name"]},
        34: lambda: {},
        35: lambda: {0: [h(digest) for digest in told["digests"]]},
        36: lambda: reach(told["reach"]),
        43: lambda: {**merchant_words(told), 3: told.get("tab_key") and h(told["tab_key"])},
        45: lambda: {
            0: sum_of(told["sum"]),
            1: h(told["voucher"]),
            2: h(told["funding"]),
            3: told["idx"],
            4: {0: {0: told["memo"]["text"]}, 1: h(told["memo"]["salt"])},
        },
        46: lambda: {0: h(told["currency"]), 1: h(told["tab"]), 2: h(told["receipt"])},
        48: lambda: merchant_words(told),
        49: lambda: merchant_words(told),
    }[kind]()
    return kind, cbor(record)


def check_content():
    file = load("content.json")
    for told in file["contents"]:
        kind, body = body_of(told["body"])
        same("whether it is a line", kind < 16 or kind == 45 or (kind >= 48 and kind not in (48, 49)), told["line"])
        content = cbor(
            {
                0: h(told["id"]),
                1: h(told["conversation"]),
                2: told["sent_at"],
                3: told["lamport"],
                4: kind,
                5: body,
            }
        )
        same(f"content of kind {kind}", content, h(told["content"]))
        head, prefix = h(told["sender_head"]), h(told["recipient_head"])
        plaintext = cbor({0: head, 1: prefix, 2: told["mailbox_seen"], 3: content})
        same("plaintext", plaintext, h(told["plaintext"]))
        cbor_read(plaintext)
    known = {told["body"]["kind"] for told in file["contents"]}
    true("every kind", {1, 2, 3, 16, 32, 33, 34, 35, 36, 43, 45, 46, 48, 49} <= known)
    for length, padded in file["paddings"]:
        same(f"padding of {length} bytes", padded_length(length + 1), padded)
    for told in file["padded"]:
        same("padded", pad(h(told["content"])), h(told["padded"]))
        same("unpadded", unpad(h(told["padded"])), h(told["content"]))


# ---------------------------------------------------------------- page 6: direct delivery


def frame_body(kind, told, dialer, listener):
    if kind == 1:
        person = Person(told["secrets"])
        said = person.identity + person.device + person.head
        signature = sign(person.dsk, b"kinfolk/1 hello", dialer + listener + u8(told["role"]) + said)
        return said + signature
    if kind == 2:
        return h(told["payload"])
    if kind == 3:
        return b"".join(u64(first) + u64(last) for first, last in told["ranges"])
    if kind == 4:
        return u64(told["sequence"]) + u8(told["code"])
    if kind == 5:
        secret, nonce = h(told["secret"]), h(told["nonce"])
        same("id of a knock", invite_id(secret), h(told["id"]))
        return invite_id(secret) + nonce + hmac(secret, b"kinfolk/1 knock" + nonce + dialer + listener)
    chain = cbor_read(h(told["chain"]))
    if kind == 6:
        return cbor({0: chain, 1: h(told["bundle"]), 2: h(told["one_time"] or "")})
    return cbor({0: h(told["invite"]), 1: chain, 2: h(told["device"]), 3: h(told["init"])})


def check_direct():
    file = load("direct.json")
    dialer, listener = h(file["dialer"]), h(file["listener"])
    kinds = set()
    for told in file["frames"]:
        kind = told["kind"]
        kinds.add(kind)
        counted = u8(kind) + u64(told["sequence"]) + frame_body(kind, told["says"], dialer, listener)
        same(f"frame of kind {kind}", u32(len(counted)) + counted, h(told["frame"]))
    same("kinds of frames", kinds, {1, 2, 3, 4, 5, 6, 7})


# ---------------------------------------------------------------- page 7: mailboxes

BLOBS = [512, 2048, 8192, 32768, 65536]
TOKENS = [1, 1, 4, 16, 32]


class Place:
    """Where an envelope of one device for another lies, and all that follows from that."""

    def __init__(self, k_dir, host, day, number):
        place = host + u32(day) + u64(number)
        self.host, self.k_dir = host, k_dir
        self.tag = hmac(k_dir, b"kinfolk/1 tag" + place)[:16]
        self.erase_key = hmac(k_dir, b"kinfolk/1 erase" + place)[:16]
        self.digest = sha256(self.erase_key)
        self.seal_key = hkdf(b"", k_dir, b"kinfolk/1 seal" + u64(number), 32)

    def seal(self, payload):
        self.nonce = hmac(self.k_dir, b"kinfolk/1 nonce" + self.tag + payload)[:24]
        size = next(size for size in BLOBS if size >= len(payload) + 42)
        padded = payload + b"\x80"
        padded += bytes(size - 41 - len(padded))
        self.blob = b"\x01" + self.nonce + xaead(self.seal_key, self.nonce, padded, self.tag)
        return self.blob


def same_long(what, found, told):
    """Of long bytes a file has the length, both ends and SHA-256."""
    if isinstance(told, str):
        return same(what, found, h(told))
    same(f"length of {what}", len(found), told["length"])
    same(f"beginning of {what}", found[:64], h(told["first"]))
    same(f"end of {what}", found[-64:], h(told["last"]))
    same(what, sha256(found), h(told["sha256"]))


def zero_bits(hashed):
    return 256 - int.from_bytes(hashed, "big").bit_length()


def work_bits(asked, blob_length):
    doublings = TOKENS[BLOBS.index(blob_length)].bit_length() - 1
    return asked + doublings


def admission_of(told):
    if "work" in told:
        return u8(2) + u32(told["work"]["hour"]) + u64(told["work"]["nonce"])
    tokens = [u32(token["epoch"]) + h(token["nonce"]) + h(token["output"]) for token in told["tokens"]]
    return u8(1) + u8(len(tokens)) + b"".join(tokens)


def request_of(told, k_dirs, hosts, seals):
    if "lifetime" in told:
        place = seals[told["seal"]]
        return u8(1) + place.tag + u16(told["lifetime"]) + place.digest + admission_of(told) + place.blob
    if "room" in told:
        return u8(2) + u8(told["room"]) + h(told["tags"])
    k_dir, host = k_dirs[told["direction"]], hosts[told["host"]]
    numbers = range(1, told["numbers_from_1_to"] + 1)
    places = [Place(k_dir, host, told["day"], number) for number in numbers]
    return u8(3) + b"".join(place.tag + place.erase_key for place in places)


def reply_of(told, seals):
    if "done" in told:
        return u8(0)
    if "reason" in told:
        number = told["number"]
        if told["reason"] == 3:
            number = number["bits"] << 24 | number["hour"] % (1 << 24)
        return u8(1) + u8(told["reason"]) + u32(number)
    reply = u8(2) + u8(told["more"]) + u16(len(told["found"]))
    for index, seal in told["found"]:
        blob = seals[seal].blob
        reply += u8(index) + u8(BLOBS.index(len(blob))) + blob
    return reply + bytes(1024 * told["room"] - len(reply))


def need(holds):
    if not holds:
        raise Refused("not as page 7 has it")


def read_request(data):
    """Raises Refused where a host does not understand."""
    need(1 <= len(data) <= 73728)
    kind, rest = data[0], data[1:]
    need(kind in (1, 2, 3))
    if kind == 1:
        need(len(rest) > 51 and 1 <= int.from_bytes(rest[16:18], "big") <= 720 and rest[50] in (1, 2))
        if rest[50] == 1:
            need(1 <= rest[51] <= 32)
        blob = rest[52 + 52 * rest[51] :] if rest[50] == 1 else rest[63:]
        need(len(blob) in BLOBS)
    elif kind == 2:
        need(len(rest) == 1 + 16 * 256 and 1 <= rest[0] <= 128)
    else:
        need(len(rest) % 32 == 0 and 1 <= len(rest) // 32 <= 1024)


def read_reply(data):
    """Raises Refused where nobody would understand."""
    need(1 <= len(data) <= 131072)
    kind, rest = data[0], data[1:]
    need(kind in (0, 1, 2))
    if kind == 0:
        need(rest == b"")
    elif kind == 1:
        need(len(rest) == 5 and 1 <= rest[0] <= 7)
    else:
        need(len(rest) >= 3 and rest[0] in (0, 1))
        count, rest, before = int.from_bytes(rest[1:3], "big"), rest[3:], -1
        for _ in range(count):
            need(len(rest) >= 2 and rest[0] > before and rest[1] < len(BLOBS))
            before, size, rest = rest[0], BLOBS[rest[1]], rest[2:]
            need(len(rest) >= size)
            rest = rest[size:]
        need(rest == bytes(len(rest)))


def altered(data, told):
    data = bytearray(data)
    for place, byte in told.get("set", []):
        data[place] = byte
    if "cut" in told:
        data = data[: -told["cut"]]
    if "add" in told:
        count, byte = told["add"]
        data += u8(byte) * count
    return bytes(data)


def check_refusals(what, refusals, understood, read):
    for data in understood:
        read(data)
    for told in refusals:
        try:
            read(altered(understood[told["of"]], told["altered"]))
        except Refused:
            true(f"{what} refused: {told['why']}", True)
            continue
        raise Difference(f"{what} understood: {told['why']}")
    true(f"{what} that are refused", len(refusals) > 10)


def host_of(told):
    return {0: h(told["peer"]), 1: told["addresses"], 2: told["work_bits"]}


def tokens_of(told):
    return [{0: token["epoch"], 1: h(token["nonce"]), 2: h(token["output"])} for token in told]


def mailbox_body_of(told):
    kind = told["kind"]
    record = {
        37: lambda: {
            0: [host_of(host) for host in told["hosts"]],
            1: [{0: h(share["peer"]), 1: tokens_of(share["tokens"])} for share in told["tokens"]],
            2: told["version"],
        },
        38: lambda: {0: told["host"] and host_of(told["host"]), 1: told["epoch"], 2: h(told["key"]), 3: told["version"]},
        39: lambda: {0: told["epoch"], 1: [h(element) for element in told["blinded"]]},
        40: lambda: {0: told["epoch"], 1: [h(element) for element in told["evaluated"]], 2: h(told["proof"])},
    }[kind]()
    return kind, cbor(record)


def check_mailbox():
    file = load("mailbox.json")
    pair_root, hosts = h(file["pair_root"]), [h(host) for host in file["hosts"]]
    devices = [h(device) for device in file["devices"]]
    k_dirs = []
    for told, (sender, recipient) in zip(file["directions"], (devices, devices[::-1]), strict=True):
        same("sender", sender, h(told["sender"]))
        same("recipient", recipient, h(told["recipient"]))
        k_dir = hmac(pair_root, sender + recipient)
        same("K_dir", k_dir, h(told["k_dir"]))
        k_dirs.append(k_dir)
        for at in told["places"]:
            place = Place(k_dir, hosts[at["host"]], at["day"], at["number"])
            same("tag", place.tag, h(at["tag"]))
            same("erase key", place.erase_key, h(at["erase_key"]))
            same("erasure digest", place.digest, h(at["erasure_digest"]))
            same("seal key", place.seal_key, h(at["seal_key"]))

    seals = []
    for told in file["seals"]:
        place = Place(k_dirs[told["direction"]], hosts[told["host"]], told["day"], told["number"])
        repeats, length = h(told["payload"]["repeats"]), told["payload"]["length"]
        payload = (repeats * (length // len(repeats) + 1))[:length]
        blob = place.seal(payload)
        same("nonce", place.nonce, h(told["nonce"]))
        same_long(f"blob of {length} bytes", blob, told["blob"])
        opened = xaead_open(place.seal_key, blob[1:25], blob[25:], place.tag).rstrip(b"\x00")
        same("payload", opened[:-1], payload)
        same("what ends it", opened[-1:], b"\x80")
        seals.append(place)
    same("sizes of blobs", sorted({len(place.blob) for place in seals}), BLOBS)

    for told in file["bits"]:
        same("bits for each size", [work_bits(told["asked"], size) for size in BLOBS], told["sizes"])
    for told in file["stamps"]:
        place = seals[told["seal"]]
        front = b"kinfolk/1 work" + place.host + place.tag + sha256(place.blob)
        zeros = zero_bits(sha256(front + u32(told["hour"]) + u64(told["nonce"])))
        same("zero bits of a stamp", zeros, told["zero_bits"])
        same("whether it is enough", zeros >= work_bits(told["asked"], len(place.blob)), told["enough"])
    enough = {len(seals[told["seal"]].blob) for told in file["stamps"] if told["enough"]}
    same("stamps that are enough for every size", sorted(enough), BLOBS)

    requests = [request_of(told["says"], k_dirs, hosts, seals) for told in file["requests"]]
    for request, told in zip(requests, file["requests"], strict=True):
        same_long("request", request, told["request"])
    same("kinds of requests", {request[0] for request in requests}, {1, 2, 3})
    check_refusals("request", file["requests_refused"], requests, read_request)
    replies = [reply_of(told["says"], seals) for told in file["replies"]]
    for reply, told in zip(replies, file["replies"], strict=True):
        same_long("reply", reply, told["reply"])
    same("reasons", {reply[1] for reply in replies if reply[0] == 1}, set(range(1, 8)))
    check_refusals("reply", file["replies_refused"], replies, read_reply)

    for told in file["links"]:
        link = "kinfolk-mailbox:" + base64.urlsafe_b64encode(cbor(host_of(told["host"]))).decode().rstrip("=")
        same("link to a host", link, told["link"])
        true("a link to a host is short", len(link) <= 1400)
    true("three links", len(file["links"]) == 3)
    for told in file["contents"]:
        kind, body = mailbox_body_of(told["body"])
        content = {0: h(told["id"]), 1: h(told["conversation"]), 2: told["sent_at"], 3: 0, 4: kind, 5: body}
        same(f"content of kind {kind}", cbor(content), h(told["content"]))
        cbor_read(h(told["content"]))
        cbor_read(body)
    same("kinds of contents", {told["body"]["kind"] for told in file["contents"]}, {37, 38, 39, 40})


# ---------------------------------------------------------------- page 10: finding each other

RECORDS = [768, 2560]


class Spot:
    """A place of the hash table for what one device says to another of its addresses, on one day."""

    def __init__(self, k_dir, day, place):
        self.k_dir, spot = k_dir, u32(day) + u8(place)
        self.key = hmac(k_dir, b"kinfolk/1 rendezvous" + spot)
        self.seal_key = hkdf(b"", k_dir, b"kinfolk/1 record seal" + spot, 32)

    def seal(self, dsk, recipient, record):
        signed = sign(dsk, b"kinfolk/1 address record", recipient + record) + record
        self.nonce = hmac(self.k_dir, b"kinfolk/1 record nonce" + self.key + signed)[:24]
        size = next(size for size in RECORDS if size >= len(signed) + 42)
        padded = signed + b"\x80"
        padded += bytes(size - 41 - len(padded))
        return b"\x01" + self.nonce + xaead(self.seal_key, self.nonce, padded, self.key)


def check_finding():
    file = load("finding.json")
    pair_root, sizes, keys = h(file["pair_root"]), set(), set()
    devices = []
    for told in file["devices"]:
        dsk, dik = h(told["dsk_private"]), h(told["dik_private"])
        public = ed25519_public(dsk) + x25519_public(dik)
        device = sha256(b"kinfolk/1 dev id" + public)[:16]
        same("device id", device, h(told["device"]))
        devices.append((device, dsk, ed25519_public(dsk)))
    for told in file["records"]:
        device, dsk, dsk_public = devices[told["sender"]]
        recipient = devices[1 - told["sender"]][0]
        k_dir = hmac(pair_root, device + recipient)
        same("K_dir", k_dir, h(told["k_dir"]))
        record = cbor({0: told["version"], 1: h(told["peer"]), 2: told["addresses"]})
        same("record", record, h(told["record"]))
        for at in told["at"]:
            spot = Spot(k_dir, at["day"], at["place"])
            same("key of the hash table", spot.key, h(at["key"]))
            same("seal key", spot.seal_key, h(at["seal_key"]))
            value = spot.seal(dsk, recipient, record)
            same("nonce", spot.nonce, h(at["nonce"]))
            same_long("value", value, at["value"])
            opened = xaead_open(spot.seal_key, value[1:25], value[25:], spot.key).rstrip(b"\x00")[:-1]
            same("record within", opened[64:], record)
            verify(dsk_public, b"kinfolk/1 address record", recipient + record, opened[:64])
            sizes.add(len(value))
            keys.add(spot.key)
    same("sizes of values", sorted(sizes), RECORDS)
    same("keys of four days, three places and both ways", len(keys), 24)


# ---------------------------------------------------------------- the primitive that is written here


def check_xchacha():
    """The test vector of draft-irtf-cfrg-xchacha-03, section 2.2.1."""
    key, nonce = bytes(range(32)), h("000000090000004a0000000031415927")
    same("HChaCha20", hchacha20(key, nonce), h("82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"))


# ---------------------------------------------------------------- page 8: bundles


BY_HAND = b"kinfolk/1 carried by hand" + bytes(13)
BUNDLE_HEAD = b"\x89kinfolk bundle\x01\xfe"
RECORD_MARK, END_MARK = b"\xf7kfr", b"\xf7kfe"


def record_bytes(day, tag, masked, blob):
    record = RECORD_MARK + bytes([BLOBS.index(len(blob))]) + u32(day) + tag + masked + blob
    return record + u32(zlib.crc32(record))


def bundle_bytes(records):
    bundle = BUNDLE_HEAD + b"".join(records)
    end = END_MARK + u32(len(records)) + u32(zlib.crc32(bundle))
    return bundle + end + u32(zlib.crc32(end))


def good_record(bytes_, at):
    """Where the record ends that stands there, if it is as it was written."""
    if bytes_[at : at + 4] != RECORD_MARK or at + 5 > len(bytes_) or bytes_[at + 4] >= len(BLOBS):
        return None
    end = at + 33 + BLOBS[bytes_[at + 4]] + 4
    whole = end <= len(bytes_) and u32(zlib.crc32(bytes_[at : end - 4])) == bytes_[end - 4 : end]
    return end if whole else None


def good_end(bytes_, at):
    end = bytes_[at : at + 16]
    return len(end) == 16 and end[:4] == END_MARK and u32(zlib.crc32(end[:12])) == end[12:]


def still_good(bytes_):
    """The records of a bundle that are as they were written, one after the other."""
    found, at = [], 17 if bytes_.startswith(BUNDLE_HEAD) else 0
    while at < len(bytes_):
        end = good_record(bytes_, at)
        if end:
            found.append(bytes_[at:end])
            at = end
        else:
            at += 16 if good_end(bytes_, at) else 1
    return found


def lines_of(bundle):
    parts = [bundle[at : at + 146] for at in range(0, len(bundle), 146)]
    name = f"{zlib.crc32(bundle):08X}"
    for number, part in enumerate(parts, 1):
        data = base64.b32encode(part).decode().rstrip("=")
        line = f"KINFOLK-BUNDLE/1/{number}/{len(parts)}/{name}/{data}/"
        yield f"{line}{zlib.crc32(line.encode()):08X}"


def check_bundle():
    file = load("bundle.json")
    pair_root, (one, other) = h(file["pair_root"]), [h(device) for device in file["devices"]]
    k_dirs = [hmac(pair_root, one + other), hmac(pair_root, other + one)]
    records = []
    for told in file["records"]:
        k_dir = k_dirs[told["direction"]]
        place = Place(k_dir, BY_HAND, told["day"], told["number"])
        same("tag of a record", place.tag, h(told["tag"]))
        mask = hmac(k_dir, b"kinfolk/1 carried number" + place.tag)[:8]
        masked = bytes(a ^ b for a, b in zip(u64(told["number"]), mask, strict=True))
        same("masked number", masked, h(told["masked"]))
        repeats, length = h(told["payload"]["repeats"]), told["payload"]["length"]
        blob = place.seal((repeats * (length // len(repeats) + 1))[:length])
        same_long("blob of a record", blob, told["blob"])
        records.append(record_bytes(told["day"], place.tag, masked, blob))
    same("sizes of records", sorted({len(record) - 37 for record in records}), BLOBS)
    bundles = []
    for told in file["bundles"]:
        bundle = bundle_bytes([records[at] for at in told["records"]])
        same_long("bundle", bundle, told["bundle"])
        lines = list(lines_of(bundle))
        same("lines", lines if len(lines) <= 64 else None, told["lines"])
        true("lines fit a QR code of version 8", all(len(line) <= 279 for line in lines))
        bundles.append(bundle)
    whole = bundles[2]
    for told in file["damaged"]:
        how = told["how"]
        if "cut" in how:
            altered = whole[: how["cut"]]
        else:
            altered = bytearray(whole)
            altered[how["altered"]] ^= 0x20
            altered = bytes(altered)
        left = still_good(altered)
        same("what is left of a bundle", [records.index(record) for record in left], told["taken"])
        true("a bundle of which something is left can be read", told["readable"] or not left)


# ---------------------------------------------------------------- page 11: the ledger

BLAKE3_IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
BLAKE3_ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT, CONTEXT, MATERIAL = 1, 2, 4, 8, 32, 64


def blake3_compress(chaining, block, counter, length, flags):
    words = list(struct.unpack("<16I", block.ljust(64, b"\0")))
    v = list(chaining) + list(BLAKE3_IV[:4]) + [counter & 0xFFFFFFFF, counter >> 32, length, flags]
    for turn in range(7):
        lanes = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
        lanes += ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
        for number, (a, b, c, d) in enumerate(lanes):
            for word, (down, up) in ((words[2 * number], (16, 12)), (words[2 * number + 1], (8, 7))):
                v[a] = (v[a] + v[b] + word) & 0xFFFFFFFF
                v[d] ^= v[a]
                v[d] = (v[d] >> down | v[d] << 32 - down) & 0xFFFFFFFF
                v[c] = (v[c] + v[d]) & 0xFFFFFFFF
                v[b] ^= v[c]
                v[b] = (v[b] >> up | v[b] << 32 - up) & 0xFFFFFFFF
        words = [words[at] for at in BLAKE3_ORDER]
    return [v[at] ^ v[at + 8] for at in range(8)]


def blake3_node(key, data, counter, flags, root):
    """The chaining value of a piece of the tree: one chunk, or two subtrees."""
    if len(data) > 1024:
        left = 1024
        while left * 2 < len(data):
            left *= 2
        first = blake3_node(key, data[:left], counter, flags, 0)
        second = blake3_node(key, data[left:], counter + left // 1024, flags, 0)
        return blake3_compress(key, struct.pack("<16I", *first, *second), 0, 64, flags | PARENT | root)
    chaining, blocks = key, [data[at : at + 64] for at in range(0, len(data), 64)] or [b""]
    for number, block in enumerate(blocks):
        start = CHUNK_START if number == 0 else 0
        end = CHUNK_END | root if number == len(blocks) - 1 else 0
        chaining = blake3_compress(chaining, block, counter, len(block), flags | start | end)
    return chaining


def ledger_hash(kind, data):
    context = b"kinfolk.ledger.v1." + kind
    key = blake3_node(BLAKE3_IV, context, 0, CONTEXT, ROOT)
    return struct.pack("<8I", *blake3_node(key, data, 0, MATERIAL, ROOT))


def ledger_sign(seed, kind, data):
    return sign(seed, b"kinfolk.ledger.v1." + kind, data)


def signatures_of(by_place):
    return [sum(1 << place for place in by_place), b"".join(by_place[place] for place in sorted(by_place))]


def ledger_body(told, currency, issuer):
    outs = []
    for out in told["outs"]:
        to, merchant = h(out["to"]), None
        if out["merchant_until"] is not None:
            message = currency + to + u64(out["merchant_until"])
            merchant = [out["merchant_until"], ledger_sign(issuer, b"merchant", message)]
        refund = out["refund_of"] and [h(out["refund_of"][0]), *out["refund_of"][1:]]
        invoice = out["invoice"] and h(out["invoice"])
        outs.append({0: [0, [to]], 1: out["class"], 2: out["amount"], 3: refund, 4: invoice, 5: merchant})
    control = None
    for kind, what in (told["ctl"] or {}).items():
        control = {
            "open": lambda: [0, [cbor_read(h(what))]],
            "rotate": lambda: [1, [h(what[0]), h(what[1])]],
            "mint": lambda: [2, [what]],
            "burn": lambda: [3, [what]],
            "checkpoint": lambda: [4, [h(what)]],
        }[kind]()
    claims = [[[h(out[0]), *out[1:]], of_class, amount] for out, of_class, amount in told["claims"]]
    memo = told["memo_hash"] and h(told["memo_hash"])
    return {0: told["ts"], 1: h(told["blind"]), 2: claims, 3: outs, 4: control, 5: memo}


class Chain:
    """The state of an account, after page 11.8."""

    def __init__(self, currency, account, inception, issues):
        self.currency, self.account, self.issues = currency, account, issues
        self.seq, self.head, self.key_seq = 0, bytes(32), 0
        self.writer, self.next, self.recovery = inception[1], inception[2], inception[3]
        self.balances, self.claimed, self.refunded, self.supply = [0, 0], {}, {}, [0, 0]

    def run(self, name, body):
        before = ledger_hash(b"state", self.encode())
        for (payer, seq, idx), of_class, amount in body[2]:
            numbers = self.claimed.setdefault(payer, set())
            true("an output is claimed once", seq * 16 + idx not in numbers)
            numbers.add(seq * 16 + idx)
            self.balances[of_class] += amount
        control, parts = body[4] or (None, None)
        for out in body[3]:
            if control == 2:
                self.supply[0] += out[2]
                continue
            self.balances[0 if out[3] else out[1]] -= out[2]
            if out[3]:
                refunded = tuple(out[3])
                self.refunded[refunded] = self.refunded.get(refunded, 0) + out[2]
        if control == 1:
            self.writer, self.next = parts
            self.key_seq += 1
        if control == 3:
            self.balances[0] -= parts[0]
            self.supply[1] += parts[0]
        if control == 4:
            same("the state that a checkpoint names", parts[0], before)
        true("nobody has less than nothing", min(self.balances) >= 0)
        self.seq, self.head = self.seq + 1, name

    def encode(self):
        claimed = []
        for payer in sorted(self.claimed):
            runs, end = [], None
            for number in sorted(self.claimed[payer]):
                if end is not None and number == end + 1:
                    runs[-1] += 1
                else:
                    runs += [number - (end or 0), 0]
                end = number
            claimed.append([payer, runs])
        keys = [self.key_seq, self.writer, self.next]
        refunded = [[list(out), self.refunded[out]] for out in sorted(self.refunded)]
        supply = self.supply if self.issues else None
        return cbor(
            {0: self.currency, 1: self.account, 2: self.seq, 3: self.head, 4: keys, 5: self.recovery}
            | {6: self.balances, 7: claimed, 8: refunded, 9: supply}
        )


def ledger_statement(currency, chain, seq, ballot, phase, name):
    return currency + u32(0) + chain + u64(seq) + u32(ballot) + u8(phase) + name


def admitted(n, f, reports):
    """What reports of a fast vote and a lock each admit."""
    q = n - f
    locks = [lock for _, lock in reports if lock]
    if locks:
        highest = max(ballot for ballot, _ in locks)
        entries = {entry for ballot, entry in locks if ballot == highest}
        return entries.pop() if len(entries) == 1 else "broken"
    voted = [vote for vote, _ in reports if vote]
    possible = {vote for vote in voted if voted.count(vote) + n - len(reports) + f >= q}
    if not possible:
        return "any"
    if len(possible) == 1:
        return possible.pop()
    return "wait" if len(reports) < n else "frozen"


def check_ledger():
    same("BLAKE3 of nothing", struct.pack("<8I", *blake3_node(BLAKE3_IV, b"", 0, 0, ROOT))[:4], h("af1349b9"))
    vectors = load("ledger.json")
    told = vectors["policy"]
    issuer = h(told["issuer_seed"])
    witnesses = [h(seed) for seed, _ in told["witnesses"]]
    policy = {
        0: 1, 1: ed25519_public(issuer), 2: told["code"].encode().ljust(8, b"\0"), 3: told["decimals"], 4: 0, 5: bytes(32),
        6: [[ed25519_public(h(seed)), h(peer)] for seed, peer in told["witnesses"]], 7: told["f"], 8: told["max_supply"],
        9: told["classes"], 10: told["offline"], 11: told["limits"],
    }  # fmt: skip
    signed = cbor({0: policy, 1: ledger_sign(issuer, b"policy", cbor(policy))})
    same("a signed policy", signed, h(told["signed"]))
    currency = ledger_hash(b"policy", cbor(policy))
    same("a currency", currency, h(told["currency"]))
    issuing = {0: currency, 1: ed25519_public(issuer), 2: bytes(32), 3: [[], 0], 4: bytes(16)}
    same("the issuing account", ledger_hash(b"inception", cbor(issuing)), h(told["issuing_account"]))
    for account in vectors["accounts"]:
        keys = sorted(ed25519_public(h(seed)) for seed in account["recovery_seeds"])
        promised = ledger_hash(b"key", ed25519_public(h(account["next_seed"])))
        writer = ed25519_public(h(account["writer_seed"]))
        inception = {0: currency, 1: writer, 2: promised, 3: [keys, account["k"]], 4: h(account["salt"])}
        same("an inception", cbor(inception), h(account["inception"]))
        same("an account", ledger_hash(b"inception", cbor(inception)), h(account["account"]))
    n, f = len(witnesses), told["f"]

    chains = {}
    for told in vectors["entries"]:
        check_entry(told, chains, currency, issuer, witnesses, h(vectors["policy"]["issuing_account"]))
    unclaimed = sum(out["amount"] for told in vectors["entries"] for out in told["body"]["outs"])
    unclaimed -= sum(claim[2] for told in vectors["entries"] for claim in told["body"]["claims"])
    has = sum(sum(chain.balances) for chain in chains.values())
    minted, burned = chains[h(vectors["policy"]["issuing_account"])].supply
    same("money that there is", has + unclaimed, minted - burned)

    for told in vectors["notes"]:
        same("the name of an invoice", ledger_hash(b"invoice", h(told["invoice"])), h(told["invoice_name"]))
        memo = ledger_hash(b"memo", h(told["salt"]) + told["memo"].encode())
        same("the hash of a memo", memo, h(told["memo_hash"]))

    check_ledger_recovery(vectors, currency, issuer, witnesses)
    check_ledger_change(vectors, currency, issuer, policy)
    check_ledger_pruning(vectors)
    check_ledger_promise(vectors, currency, issuer, witnesses, policy)
    for case in vectors["picks"]:
        locks = [(int(lock[0]), lock[1]) for lock in case["locks"].split()]
        votes = [vote if vote != "-" else None for vote in case["fast_votes"]]
        reports = [(vote, locks[at] if at < len(locks) else None) for at, vote in enumerate(votes)]
        same(f"what {case} admits", admitted(case["n"], case["f"], reports), case["admits"])
    true("a quorum", 2 * (n - f) - n > f)


def check_entry(told, chains, currency, issuer, witnesses, issuing):
    body = ledger_body(told["body"], currency, issuer)
    at = told["position"]
    account = h(at["chain"])
    if body[4] and body[4][0] == 0:
        inception = body[4][1][0]
        same("the account that is opened", ledger_hash(b"inception", cbor(inception)), account)
        chains[account] = Chain(currency, account, inception, account == issuing)
    chain = chains[account]
    same("the place of an entry", (at["seq"], h(at["prev"]), at["key_seq"]), (chain.seq, chain.head, chain.key_seq))
    header = u8(1) + currency + u32(0) + account + u64(chain.seq) + chain.head + u32(chain.key_seq)
    header += ledger_hash(b"body", cbor(body))
    same("a header", header, h(told["header"]))
    same("the length of a header", len(header), 145)
    name = ledger_hash(b"entry", header)
    same("a name", name, h(told["name"]))
    signers = {place: ledger_sign(h(seed), b"entry", header) for place, seed in told["signers"]}
    if told["approved_by"] == "writer":
        same("the writer", ed25519_public(h(told["signers"][0][1])), chain.writer)
        approval = [0, [signers[0]]]
    else:
        for place, seed in told["signers"]:
            same("a recovery key", ed25519_public(h(seed)), chain.recovery[0][place])
        true("enough to recover", len(signers) >= chain.recovery[1])
        approval = [1, [signatures_of(signers)]]
    same("an entry", cbor({0: header, 1: approval, 2: body}), h(told["entry"]))
    ballot = told["ballot"]
    statement = ledger_statement(currency, account, chain.seq, ballot, 2 if ballot else 0, name)
    same("the length of a statement", len(statement), 113)
    votes = {place: ledger_sign(witnesses[place], b"vote", statement) for place in told["voters"]}
    cert = [1 if ballot else 0, 0, ballot, name, signatures_of(votes)]
    same("a certificate", cbor(cert), h(told["cert"]))
    chain.run(name, body)
    same("a state", chain.encode(), h(told["state"]))
    same("the hash of a state", ledger_hash(b"state", chain.encode()), h(told["state_root"]))


def check_ledger_recovery(vectors, currency, issuer, witnesses):
    told = vectors["recovery"]
    account, seq, writer = h(told["slot"]["chain"]), told["slot"]["seq"], h(told["writer_seed"])
    slot = [currency, 0, account, seq]
    entry = cbor_read(h(told["one"]))
    header = entry[0]
    name = ledger_hash(b"entry", header)
    body = ledger_body(told["other"]["body"], currency, issuer)
    other = header[:-32] + ledger_hash(b"body", cbor(body))
    signed = [[place, ledger_sign(writer, b"entry", place)] for place in (header, other)]
    same("the other entry", cbor({0: other, 1: [0, [signed[1][1]]], 2: body}), h(told["other"]["entry"]))
    same("a proof against a writer", cbor([0, signed]), h(told["proof"]))
    for witness, vote in enumerate(told["fast_votes"]):
        statement = ledger_statement(currency, account, seq, 0, 0, name)
        same("a vote", cbor([statement, witness, ledger_sign(witnesses[witness], b"vote", statement)]), h(vote))
    recovery = {place: ledger_sign(h(seed), b"recover", cbor([slot, 1])) for place, seed in told["recovery_seeds"]}
    same("a request to recover", cbor({0: slot, 1: 1, 3: signatures_of(recovery)}), h(told["recover"]))

    prepared = ledger_statement(currency, account, seq, 1, 1, name)
    prepares = {place: ledger_sign(witnesses[place], b"vote", prepared) for place in (0, 1, 2)}
    prepcert = [1, name, signatures_of(prepares)]
    same("a prepare certificate", cbor(prepcert), h(told["prepared_in_ballot_1"]))
    # Witnesses 0 and 1 voted fast; 0 locked in ballot 1, and only then reports for ballot 2.
    for ballot, reporters in ((1, (0, 1, 2)), (2, (0, 2, 3))):
        for witness, report in zip(reporters, told[f"reports_of_ballot_{ballot}"], strict=True):
            fast = signed[0] if witness in (0, 1) else None
            lock = [1, name, prepcert] if (ballot, witness) == (2, 0) else None
            findings = {0: slot, 1: ballot, 2: fast, 3: lock}
            by = ledger_sign(witnesses[witness], b"report", cbor(findings))
            same("a report", cbor({0: findings, 1: witness, 2: by}), h(report))


def check_ledger_change(vectors, currency, issuer, before):
    told = vectors["change"]
    old = [h(seed) for seed, _ in vectors["policy"]["witnesses"]]
    new = [h(seed) for seed, _ in told["witnesses"]]
    named = [[ed25519_public(h(seed)), h(peer)] for seed, peer in told["witnesses"]]
    policy = {**before, 4: 1, 5: ledger_hash(b"policy", cbor(before)), 6: named, 7: told["f"]}
    following = ledger_hash(b"policy", cbor(policy))
    same("the hash of the next policy", following, h(told["hash"]))
    endorsed = {place: ledger_sign(old[place], b"succeed", currency + following) for place in told["endorsed_by"]}
    true("a quorum of the old", len(endorsed) >= len(old) - before[7])
    by_issuer = ledger_sign(issuer, b"policy", cbor(policy))
    same("the next policy", cbor({0: policy, 1: by_issuer, 2: signatures_of(endorsed)}), h(told["signed"]))

    account, seq = h(told["slot"]["chain"]), told["slot"]["seq"]
    header = cbor_read(h(told["entry"]))[0]
    same("an entry of epoch 0", header[33:37], u32(0))
    fast = [header, ledger_sign(h(told["writer_seed"]), b"entry", header)]
    slot = [currency, 0, account, seq]
    for witness, report in enumerate(told["closing_reports"]):
        findings = {0: slot, 1: 0xFFFFFFFF, 2: fast if witness in told["voted"] else None, 3: None}
        by = ledger_sign(old[witness], b"report", cbor(findings))
        same("a closing report", cbor({0: findings, 1: witness, 2: by}), h(report))
    reports = [("x" if witness in told["voted"] else None, None) for witness in range(len(told["closing_reports"]))]
    same("what they admit", admitted(len(old), before[7], reports), "x")

    name = ledger_hash(b"entry", header)
    statement = currency + u32(1) + account + u64(seq) + u32(0) + u8(0) + name
    votes = {place: ledger_sign(new[place], b"vote", statement) for place in told["voters"]}
    same("a certificate of epoch 1", cbor([0, 1, 0, name, signatures_of(votes)]), h(told["cert"]))
    later = cbor_read(h(told["later_account"]["inception"]))
    same("the first epoch of an account", later[5], 1)
    same("a later account", ledger_hash(b"inception", cbor(later)), h(told["later_account"]["account"]))


def check_ledger_pruning(vectors):
    """Page 11.14."""
    told = vectors["pruning"]
    entry = next(one for one in vectors["entries"] if one["entry"] == told["entry"])
    chain = [one for one in vectors["entries"] if one["position"]["chain"] == entry["position"]["chain"]]
    before = chain[entry["position"]["seq"] - 1]
    same("what a checkpoint names", entry["body"]["ctl"], {"checkpoint": before["state_root"]})
    receipt = [cbor_read(h(entry["entry"])), cbor_read(h(entry["cert"]))]
    checkpoint = [receipt, cbor_read(h(before["state"]))]
    same("a checkpoint", cbor(checkpoint), h(told["checkpoint"]))
    same("a checkpoint that is brought", cbor([20, [checkpoint]]), h(told["question"]))
    same("a checkpoint that is shown", cbor([20, [checkpoint]]), h(told["answer"]))


def check_ledger_promise(vectors, currency, issuer, witnesses, policy):
    """Page 12, "Payments without witnesses"."""
    told, chains = vectors["promise"], {}
    for entry in told["entries"]:
        check_entry(entry, chains, currency, issuer, witnesses, h(vectors["policy"]["issuing_account"]))
    base, cited = told["entries"][told["base"]], told["entries"][told["cited"]]
    account = h(base["position"]["chain"])
    # The state before the base is that after the entry of this chain before it.
    earlier = [entry for entry in told["entries"][: told["base"]] if entry["position"]["chain"] == base["position"]["chain"]]
    state = cbor_read(h(earlier[-1]["state"]))
    same("the checkpoint of a base", base["body"]["ctl"]["checkpoint"], earlier[-1]["state_root"])
    chain, writer, entries, votes = chains[account], h(told["writer_seed"]), [], []
    for number, since in enumerate(told["uncertified"]):
        body = ledger_body(since["body"], currency, issuer)
        header = u8(1) + currency + u32(0) + account + u64(chain.seq) + chain.head + u32(chain.key_seq)
        header += ledger_hash(b"body", cbor(body))
        entry = {0: header, 1: [0, [ledger_sign(writer, b"entry", header)]], 2: body}
        same("an entry since", cbor(entry), h(since["entry"]))
        entries.append(entry)
        name = ledger_hash(b"entry", header)
        if number == 0:
            statement = ledger_statement(currency, account, chain.seq, 0, 0, name)
            votes = [[statement, place, ledger_sign(witnesses[place], b"vote", statement)] for place in told["voters"]]
        chain.run(name, body)
    promise = {
        0: state,
        1: [cbor_read(h(base["entry"])), cbor_read(h(base["cert"]))],
        2: entries,
        3: [[cbor_read(h(cited["entry"])), cbor_read(h(cited["cert"]))]],
        4: votes,
    }
    same("a promise", cbor(promise), h(told["promise"]))
    units = sum(out[2] for out in entries[-1][2][3] if out[0] == [0, [h(told["payee"])]])
    same("what is promised", units, told["units"])
    payment, _, chained, age = policy[10]
    true("within the caps", units <= payment and len(entries) <= chained)
    true("not too old", entries[-1][2][0] - cbor_read(h(base["entry"]))[2][0] <= age)


def check_wallet():
    """Page 12.6."""
    vectors = load("wallet.json")
    entropy = bytes(Mnemonic("english").to_entropy(vectors["words"]))
    root = hkdf(bytes(32), entropy, b"kinfolk/1 wallet", 32)
    same("the root of a wallet", root, h(vectors["root"]))

    def seed_of_set(number):
        return hkdf(bytes(32), root, b"kinfolk.wallet.v1.set" + u8(number), 32)

    def recovery_of(number, key):
        seed = hkdf(bytes(32), root, b"kinfolk.wallet.v1.recovery" + u8(number) + u8(key), 32)
        return ed25519_public(seed)

    for told in vectors["sets"]:
        same("the seed of a set", seed_of_set(told["set"]), h(told["seed"]))
        for key, public in enumerate(told["recovery"]):
            same("a recovery key", recovery_of(told["set"], key), h(public))

    for told in vectors["currencies"]:
        currency = h(told["currency"])

        def seed_of(number):
            return hkdf(bytes(32), seed_of_set(number), b"kinfolk.wallet.v1.account" + currency, 32)

        def writer(seed, number):
            info = b"kinfolk.wallet.v1.writer" + currency + u32(number)
            return ed25519_public(hkdf(bytes(32), seed, info, 32))

        def inception(number, key):
            seed = seed_of(number)
            salt = hkdf(bytes(32), seed, b"kinfolk.wallet.v1.salt" + currency + u32(0), 32)[:16]
            promised = ledger_hash(b"key", writer(seed, 1))
            recovery = [[recovery_of(number, key)], 1]
            return cbor({0: currency, 1: writer(seed, 0), 2: promised, 3: recovery, 4: salt})

        listed = []
        for probe in range(8):
            for number in range(16):
                first = hkdf(bytes(32), seed_of_set(number), b"kinfolk.wallet.v1.place" + currency, 32)[0]
                listed.append((number, (first + probe) % 64))
        found = [(one["set"], one["number"]) for one in told["candidates"]]
        true("the order of candidates", found == listed)
        for one in told["candidates"]:
            account = ledger_hash(b"inception", inception(one["set"], one["number"]))
            same("a candidate", account, h(one["account"]))
        seed = h(told["seed"])
        redeems = hkdf(bytes(32), seed, b"kinfolk.wallet.v1.tab" + currency, 32)
        same("the key that redeems", ed25519_public(redeems), h(told["tab"]))
        for seq, public in told["vouchers"]:
            signs = hkdf(bytes(32), seed, b"kinfolk.wallet.v1.voucher" + currency + seq.to_bytes(8, "big"), 32)
            same("a voucher key", ed25519_public(signs), h(public))
        number, key = listed[0]
        seed = seed_of(number)
        same("the seed of an account", seed, h(told["seed"]))
        for place, public in enumerate(told["writers"]):
            same("a writer", writer(seed, place), h(public))
        same("an inception by the wallet", inception(number, key), h(told["inception"]))
        same("its salt", inception(number, key)[-16:], h(told["salt"]))



def check_tabs():
    told = load("tabs.json")
    currency, payer, payee = (h(told[name]) for name in ("currency", "payer", "payee"))
    redeemer, voucher_seed = h(told["redeemer_seed"]), h(told["voucher_seed"])
    tab = [payee, ed25519_public(redeemer), ed25519_public(voucher_seed), told["expires"], told["epoch"]]
    terms = [0, [tab]]
    funding = [payer, told["funding"]["seq"], told["funding"]["idx"]]
    out = cbor_read(h(told["funding"]["body"]))[3][funding[2]]
    same("what funds a tab", cbor(out), cbor({0: [1, [terms]], 1: 0, 2: told["funded"]}))
    opening = [terms, funding]
    same("what a tab is", cbor(opening), h(told["opening"]))
    chain = ledger_hash(b"escrow", cbor(opening))
    same("the id of a tab", chain, h(told["chain"]))

    total, memo = told["voucher"]["total"], h(told["voucher"]["memo_hash"])
    signature = ledger_sign(voucher_seed, b"voucher", cbor([chain, total, memo]))
    voucher = {0: chain, 1: total, 2: memo, 3: signature}
    same("a voucher", cbor(voucher), h(told["voucher"]["voucher"]))

    def entry(what, seq, prev, place, seed, claims, outs, control):
        body = {0: told["ts"], 1: h(told["blind"]), 2: claims, 3: outs, 4: [5, [control]]}
        header = b"\1" + currency + u32(0) + chain + u64(seq) + prev + u32(place) + ledger_hash(b"body", cbor(body))
        same(f"the header that {what}", header, h(told[what]["header"]))
        name = ledger_hash(b"entry", header)
        same(f"the name of what {what}s", name, h(told[what]["name"]))
        approval = [0, [ledger_sign(seed, b"entry", header)]]
        same(f"the entry that {what}s", cbor({0: header, 1: approval, 2: body}), h(told[what]["entry"]))
        return name

    def cash(to, units):
        return {0: [0, [to]], 1: 0, 2: units}

    act = [opening, [0, [voucher]]]
    claim = [funding, 0, told["funded"]]
    head = entry("redeem", 0, bytes(32), 1, redeemer, [claim], [cash(payee, total)], act)
    left = told["funded"] - total
    entry("close", 1, head, 0, voucher_seed, [], [cash(payer, left)], [None, [1, []]])

    slot, ballot = [currency, 0, chain, 1], told["recover"]["ballot"]
    signed = ledger_sign(voucher_seed, b"recover", cbor([slot, ballot]))
    request = {0: slot, 1: ballot, 3: [1 << ballot % 2, signed], 4: opening}
    same("a ballot of a tab", cbor(request), h(told["recover"]["recover"]))
    state = {0: currency, 1: chain, 2: 1, 3: head, 4: opening, 5: told["funded"], 6: total, 7: False}
    same("the state of a tab", cbor(state), h(told["state"]))


CHECKED = (
    check_xchacha,
    check_identity,
    check_handshake,
    check_conversation,
    check_content,
    check_direct,
    check_mailbox,
    check_bundle,
    check_finding,
    check_ledger,
    check_tabs,
    check_wallet,
)


def main():
    try:
        for check in CHECKED:
            before = CHECKS
            check()
            print(f"{check.__name__.removeprefix('check_')}: {CHECKS - before} checks")
    except Difference as difference:
        print(f"{check.__name__.removeprefix('check_')}: not the same: {difference}", file=sys.stderr)
        return 1
    print(f"checks: {CHECKS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
