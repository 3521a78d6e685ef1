"""Gossip by a second client, written from section 11.11 of docs/protocol and from nothing else, on py-libp2p.

    python gossip.py ADDRESS TOPIC    follows a topic together with the node at the address, hears what others say by way of
                                      that node, and says something itself

Ends with `checks: N`, or with the first thing that is not as the pages say and a status other than 0.
"""

import os
import sys

import multiaddr
import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pubsub import Pubsub, get_content_addressed_msg_id
from libp2p.tools.anyio_service import background_trio_service

# What the whole of it may take, in seconds.
PATIENCE = 60


async def main(address, topic):
    host = new_host(key_pair=create_new_key_pair(), muxer_preference="YAMUX")
    router = GossipSub(protocols=["/meshsub/1.1.0"], degree=6, degree_low=4, degree_high=12, heartbeat_interval=1)
    pubsub = Pubsub(host, router, strict_signing=False, msg_id_constructor=get_content_addressed_msg_id)
    with trio.fail_after(PATIENCE):
        async with host.run(listen_addrs=[]):
            async with background_trio_service(pubsub), background_trio_service(router):
                await pubsub.wait_until_ready()
                heard = await pubsub.subscribe(topic)
                await host.connect(info_from_p2p_addr(multiaddr.Multiaddr(address)))
                checks = 0

                async def hears(expected):
                    # What it says itself comes back to it as well.
                    while (message := await heard.get()).data.startswith(b"python:"):
                        pass
                    if message.data != expected:
                        sys.exit(f"heard {message.data!r}, expected {expected!r}")
                    if message.from_id:
                        sys.exit("a message names who it is from")
                    return 2

                checks += await hears(b"said by another node")
                await pubsub.publish(topic, b"python: rubbish")
                await pubsub.publish(topic, b"python: in earnest")
                checks += await hears(b"heard by another node")
                print(f"checks: {checks}", flush=True)
                # Nothing is left to be put in order, and whatever still runs would only complain of its end.
                os._exit(0)


trio.run(main, *sys.argv[1:3])
