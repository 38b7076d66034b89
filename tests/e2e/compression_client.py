#!/usr/bin/python3
"""compression_client.py URL: permessage-deflate as Python's websockets speaks it, against an echo.

Every combination of contexts and windows of 9 to 15 bits; small, large, text, binary and fragmented messages. Prints how
many messages came back as they were, and what was agreed upon, a line for each connection.
"""

import asyncio
import itertools
import random
import sys

from websockets.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

DICE = random.Random(7692)
WORDS = "the room message server please today meeting at noon {\"event\": \"user\", \"id\": é 世界".split(" ")


def text(size):
    words = []
    while size > 0:
        words.append(DICE.choice(WORDS))
        size -= len(words[-1]) + 1
    return " ".join(words)


async def talk(url, factory):
    echoed = 0
    async with connect(url, compression=None, extensions=[factory], max_size=8 << 20) as socket:
        agreed = socket.response_headers.get("Sec-WebSocket-Extensions", "nothing")
        for size in (0, 1, 100, 1023, 1024, 5000, 70000):
            for message in (text(size), DICE.randbytes(size), text(size).encode()):
                await socket.send(message)
                assert await socket.recv() == message, (agreed, size)
                echoed += 1
        pieces = [text(size) for size in (10, 0, 3000, 40000)]
        await socket.send(iter(pieces))
        assert await socket.recv() == "".join(pieces), agreed
        # Many under way at a time, each like the one before.
        messages = [text(300) + str(n) for n in range(100)]
        for message in messages:
            await socket.send(message)
        for message in messages:
            assert await socket.recv() == message, agreed
        echoed += 1 + len(messages)
    return echoed, agreed


async def main(url):
    for server_alone, client_alone in itertools.product((False, True), repeat=2):
        print(*await talk(url, ClientPerMessageDeflateFactory(server_alone, client_alone)))
    for bits in range(9, 16):
        print(*await talk(url, ClientPerMessageDeflateFactory(server_max_window_bits=bits, client_max_window_bits=bits)))
    big = text(3 << 20)
    async with connect(url, max_size=8 << 20) as socket:
        await socket.send(big)
        assert await socket.recv() == big
    print(1, "a message of 3 MiB")


asyncio.run(main(sys.argv[1]))
