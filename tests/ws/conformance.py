"""The cases of the Autobahn test suite, groups 1 to 7, 9 and 10, done again with Python's `websockets` as the client.

The suite itself wants Python 2 and a server that says everything back. Here the library makes the frames, takes apart
what comes back, and so checks it; what chatd says back is a PONG to a PING, or the cid of a request that it refuses.
What the library will not send is damaged after it was made. Prints how many cases passed; each that failed with why.
"""

import asyncio
import json
import sys

import websockets
from websockets.frames import Frame

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FRAME_BYTES = 64 << 10


def frame(opcode, data=b"", fin=True, damage=None):
    raw = bytearray(Frame(opcode=opcode, data=data, fin=fin).serialize(mask=True, extensions=[]))
    if damage:
        damage(raw)
    return bytes(raw)


def bits(mask):
    def damage(raw):
        raw[0] |= mask
    return damage


def first(byte):
    def damage(raw):
        raw[0] = byte
    return damage


def ask(n, size=0):
    """A PING of the protocol, as many bytes long."""
    short = b'{"msgid":22,"n":%d}' % n
    return short[:-1] + b" " * (size - len(short)) + b"}"


def answer(n):
    return '{"msgid":23,"n":%d}' % n


def named(name):
    """What is refused under this name."""
    return b'{"msgid":99,"cid":"' + name + b'"}'


def pieces(data, size, opcode=TEXT):
    cut = [data[at:at + size] for at in range(0, len(data), size)] or [b""]
    return [frame(opcode if at == 0 else CONTINUATION, part, fin=at == len(cut) - 1) for at, part in enumerate(cut)]


class Case:
    def __init__(self, number, sent, texts=(), code=None, chop=0):
        self.number, self.sent, self.texts, self.code, self.chop = number, b"".join(sent), list(texts), code, chop


def error(errno):
    return lambda text: json.loads(text)["errno"] == errno


def cases():
    # 1: texts of every length of header, whole and chopped. 10: fragments of a fixed size.
    for size in (0, 125, 126, 127, 128, 4_096, FRAME_BYTES - 1, FRAME_BYTES):
        for chop in (0, 997):
            yield Case(f"1.1 {size} by {chop}", [frame(TEXT, ask(1, size))], [answer(1)], chop=chop)
    yield Case("1.1.1", [frame(TEXT, b""), frame(TEXT, ask(1))], [answer(1)])
    yield Case("1.2", [frame(BINARY, b"\x00\xff")], [error(100)], 1003)
    yield Case("10.1", pieces(ask(1, FRAME_BYTES), 1_300), [answer(1)])
    # 2: pings and pongs; their answers are awaited below.
    yield Case("2.5", [frame(PING, b"x" * 125, damage=None)[:1] + b"\xfe\x00\x7e\0\0\0\0" + b"x" * 126], [error(100)], 1002)
    for payload in (b"", b"unsolicited"):
        yield Case("2.7", [frame(PONG, payload), frame(TEXT, ask(1))], [answer(1)])
    yield Case("2.6", [frame(PING, b"x" * 125), frame(TEXT, ask(1))], [answer(1)], chop=1)
    # 3: reserved bits.
    for bit in (0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70):
        for opcode in (TEXT, PING, CLOSE):
            for chop in (0, 1):
                bad = frame(opcode, damage=bits(bit))
                yield Case(f"3 {bit:x} {opcode}", [frame(TEXT, ask(1)), bad], [answer(1), error(100)], 1002, chop)
    # 4: reserved opcodes.
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        for payload in (b"", b"reserved"):
            bad = frame(TEXT, payload, damage=first(0x80 | opcode))
            yield Case(f"4 {opcode}", [frame(TEXT, ask(1)), bad], [answer(1), error(100)], 1002)
    # 5: fragments.
    for opcode, number in ((PING, "5.1"), (PONG, "5.2")):
        yield Case(number, [frame(opcode, b"a", damage=first(opcode)), frame(CONTINUATION, b"b")], [error(100)], 1002)
    one, two = ask(1)[:9], ask(1)[9:]
    half = [frame(TEXT, one, fin=False), frame(CONTINUATION, two)]
    for chop in (0, 1):
        yield Case("5.3-5", half, [answer(1)], chop=chop)
        yield Case("5.6-8", [half[0], frame(PING, b"between"), half[1]], [answer(1)], chop=chop)
        yield Case("5.9-14", [frame(CONTINUATION, b"nothing to go on with"), frame(TEXT, ask(1))], [error(100)], 1002, chop)
        yield Case("5.15", half + [frame(CONTINUATION, b"x", fin=False)], [answer(1), error(100)], 1002, chop)
        yield Case("5.18", [half[0], frame(TEXT, two)], [error(100)], 1002, chop)
        yield Case("5.19", [half[0], frame(PING), frame(CONTINUATION, b"", fin=False), frame(PING), half[1]], [answer(1)], chop=chop)
    # 6: UTF-8, whole, in fragments of a byte, and byte by byte.
    valid = ["Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!", "\u03ba\u1f79\u03c3\u03bc\u03b5", "\U0001f600", "\x7f\u0080\u07ff",
             "\u0800\uffff", "\U00010000\U0010ffff", "\ud7ff\ue000\ufffd", "\ufffe\uffff", "\U0001fffe\U0010fffe"]
    for text in valid:
        data = named(text.encode())
        wanted = [lambda said, text=text: json.loads(said)["cid"] == text]
        for sent, chop in (([frame(TEXT, data)], 0), (pieces(data, 1), 0), ([frame(TEXT, data)], 1), (pieces(data, 1), 1)):
            yield Case(f"6 {text!a}", sent, wanted, chop=chop)
    invalid = [b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", b"\xf4\x90\x80\x80", b"\x80", b"\xbf", b"\x80\xbf",
               b"\xc0 ", b"\xe0\xf0 ", b"\xf8", b"\xfc", b"\xfe\xfe\xff\xff", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf",
               b"\xf8\x80\x80\x80\xaf", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xed\xa0\x80", b"\xed\xaf\xbf\xed\xbf\xbf",
               b"\xed\xbf\xbf", b"\xf7\xbf\xbf\xbf", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"]
    for text in invalid:
        data = named(text)
        for sent, chop in (([frame(TEXT, data)], 0), (pieces(data, 1), 0), ([frame(TEXT, data)], 1)):
            yield Case(f"6 {text!r}", sent, [error(100)], 1007, chop)
    # Wrong at once, although the frame goes on.
    yield Case("6.4", [frame(TEXT, named(b"\xf4\x90") + b" " * 60)[:6 + 21]], [error(100)], 1007)
    # 7: closing.
    yield Case("7.1.1", [frame(TEXT, ask(1)), frame(CLOSE, b"\x03\xe8")], [answer(1)], 1000)
    yield Case("7.1.2", [frame(CLOSE, b"\x03\xe8")] * 2, [], 1000)
    yield Case("7.1.3-5", [half[0], frame(CLOSE, b"\x03\xe8"), frame(PING), half[1]], [], 1000)
    yield Case("7.3.1", [frame(CLOSE)], [], 1005)
    yield Case("7.3.2", [frame(CLOSE, b"a", damage=None)], [error(100)], 1002)
    yield Case("7.3.4", [frame(CLOSE, b"\x03\xe8bye")], [], 1000)
    yield Case("7.3.5", [frame(CLOSE, b"\x03\xe8" + b"x" * 123)], [], 1000)
    yield Case("7.3.6", [b"\x88\xfe\x00\x7e\0\0\0\0\x03\xe8" + b"x" * 124], [error(100)], 1002)
    yield Case("7.5.1", [frame(CLOSE, b"\x03\xe8\xce\xba\xe1\xbd\xb9\xed\xa0\x80")], [error(100)], 1007)
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        yield Case(f"7.7 {code}", [frame(CLOSE, code.to_bytes(2, "big"))], [], code)
    for code in (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535):
        yield Case(f"7.9 {code}", [frame(CLOSE, code.to_bytes(2, "big"))], [error(100)], 1002)
    # 9: the bound, in one frame, in fragments, and in chops.
    for size in (64, 256, 1_024, 4_096, 16_384):
        yield Case(f"9.3 {size}", pieces(ask(1, FRAME_BYTES), size), [answer(1)])
        yield Case(f"9.5 {size}", [frame(TEXT, ask(1, FRAME_BYTES))], [answer(1)], chop=size)
    yield Case("9.1", [frame(TEXT, ask(1, FRAME_BYTES + 1))], [error(111)], 1009)
    yield Case("9.3", pieces(ask(1, FRAME_BYTES + 1), 4_096), [error(111)], 1009)
    yield Case("9.7", [frame(TEXT, ask(n)) for n in range(1_000)], [answer(n) for n in range(1_000)])


async def within(awaited):
    return await asyncio.wait_for(awaited, 60)


async def connect(uri):
    return await within(websockets.connect(uri, compression=None, max_size=None, ping_interval=None))


def same(wanted, text):
    return wanted(text) if callable(wanted) else wanted == text


async def run(uri, case):
    socket = await connect(uri)
    for at in range(0, len(case.sent), case.chop or len(case.sent)):
        try:
            socket.transport.write(case.sent[at:at + (case.chop or len(case.sent))])
        except RuntimeError:
            # The server had seen enough, and the library has closed.
            break
        if case.chop:
            await asyncio.sleep(0)
    for wanted in case.texts:
        text = await within(socket.recv())
        if not same(wanted, text):
            return f"heard {text!r}"
    if case.code is None:
        # It lives.
        await socket.send(ask(4_711).decode())
        text = await within(socket.recv())
        await within(socket.close())
        return None if text == answer(4_711) and socket.close_code == 1000 else f"heard {text!r} at last"
    try:
        text = await within(socket.recv())
        return f"heard {text!r} and not the end"
    except websockets.ConnectionClosed:
        return None if socket.close_code == case.code else f"closed with {socket.close_code}, and not {case.code}"


async def pings(uri):
    """2.1 to 2.4, 2.10 and 2.11: pings of every kind, and ten at once, are answered in their order."""
    socket = await connect(uri)
    for payload in (b"", b"Hello, world!", bytes([0, 255, 254, 253, 252, 251, 0, 255]), b"\xfe" * 125):
        await within(await socket.ping(payload))
    answered = []
    waiting = [await socket.ping(b"payload-%d" % number) for number in range(10)]
    for number, pong in enumerate(waiting):
        pong.add_done_callback(lambda _, number=number: answered.append(number))
    await within(asyncio.gather(*waiting))
    await asyncio.sleep(0)
    await within(socket.close())
    return None if answered == list(range(10)) else f"answered {answered}"


async def main(uri):
    passed, failed = 0, []
    async def note(number, result):
        nonlocal passed
        try:
            fault = await result
        except Exception as error:  # Whatever the library says of what it heard.
            fault = repr(error)
        if fault is None:
            passed += 1
        else:
            failed.append(f"{number}: {fault}")
    await note("2", pings(uri))
    for case in cases():
        await note(case.number, run(uri, case))
    print("\n".join(failed))
    print(f"passed {passed} failed {len(failed)}")
    return 1 if failed else 0


sys.exit(asyncio.run(main(sys.argv[1])))
