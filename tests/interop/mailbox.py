"""What one asks of a mailbox, and where things lie there (page 7)."""

import hashlib
import hmac
import os
import random

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt as xopen,
    crypto_aead_xchacha20poly1305_ietf_encrypt as xseal,
)

from node import check

BUCKETS = [512, 2_048, 8_192, 32_768, 65_536]
TAGS = 256
PAGE = 1_024

# Where things lie, and the seal (page 7.2).


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def hkdf(ikm, info):
    """HKDF-SHA256 with an empty salt, 32 bytes: one block."""
    return mac(mac(b"", ikm), info, b"\x01")


class Direction:
    """What goes from one device to another."""

    def __init__(self, pair_root, sender, recipient):
        self.key = mac(pair_root, sender, recipient)

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
