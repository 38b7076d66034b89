#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets, one file each: seeds.py FOLDER makes FOLDER/<target>/<name>.

Written by hand: each seed is a thing that a peer sends, good or nearly good. The bytes that steer a target stand at the
end of its input and are read backwards (fuzz.h); a missing one is 0.
"""
import base64
import hmac
import os
import struct
import sys
import zlib

KEY = b"\x12\x34\x56\x78"


def frame(opcode, payload=b"", fin=True, key=KEY, rsv=0):
    """A frame as a client sends it; key None: unmasked."""
    mask = 0x80 if key is not None else 0
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if size < 126:
        head += bytes([mask | size])
    elif size < 65536:
        head += bytes([mask | 126]) + struct.pack(">H", size)
    else:
        head += bytes([mask | 127]) + struct.pack(">Q", size)
    if key is None:
        return head + payload
    return head + key + bytes(b ^ key[i % 4] for i, b in enumerate(payload))


UPGRADE = (b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
UTF8 = "zażółć 日本 𝄞".encode()

HTTP = {
    "short": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "query": b"GET /a/b%20c?x=1&y=%41 HTTP/1.1\r\nHost: example.com:80\r\nAccept: */*\r\n\r\n",
    "old": b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "absolute": b"GET http://example.com/path?q HTTP/1.1\r\nHost: other\r\n\r\n",
    "authority": b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
    "length": b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    "chunked": b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "both": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "folded": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "space": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "bare_cr": b"GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
    "bare_lf": b"GET / HTTP/1.1\nHost: x\n\n",
    "nul": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
    "no_host": b"GET / HTTP/1.1\r\n\r\n",
    "two_hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "empty_lines": b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "upgrade": UPGRADE,
    "fields": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(12)) + b"\r\n",
    "pipeline": b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n",
}

CHUNKED = {
    "whole": b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    "extension": b"5;name=value;q=\"a b\"\r\nhello\r\n0\r\n\r\n",
    "blanks": b"5 ;\ta = b ; c\t=\"\\\"d\\x80\xff\"\r\nhello\r\n0;x\r\n\r\n",
    "open_quote": b"5;a=\"b\r\nhello\r\n0\r\n\r\n",
    "no_name": b"5;;=\r\nhello\r\n0\r\n\r\n",
    "over_limit": b"b\r\nhello world\r\n0\r\n\r\n" + b"\0" * 5 + b"\x02",
    "trailer": b"1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n",
    "huge": b"ffffffffffffffff\r\nx",
    "zeros": b"000000000000000005\r\nhello\r\n0\r\n\r\n",
    "too_long": b"10000000000000005\r\nhello\r\n",
    "bare_lf": b"5\nhello\n0\n\n",
    "no_digit": b";x\r\n\r\n",
}

HANDSHAKE = {
    "nothing": b"\0",
    "connection": b"Connection: keep-alive, Upgrade\x01",
    "upgrade": b"Upgrade: h2c, WebSocket\x02",
    "version": b"Sec-WebSocket-Version: 8\x04",
    "two_versions": b"Sec-WebSocket-Version: 13\0",
    "key": b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\x08",
    "bad_key": b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAB==\x08",
    "protocols": b"Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Protocol: chat,,json\0",
    "example_key": b"Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==\x08",
    "extensions": b"Sec-WebSocket-Extensions: a; b = c;d, ,e;f=\"\\g\"\r\nSec-WebSocket-Extensions:\0",
    "bad_extensions": b"Sec-WebSocket-Extensions: ;;;,=\0",
    "open_quote": b"Sec-WebSocket-Extensions: a;b=\"c\0",
    "body": b"Content-Length: 1\0",
    "post": b"Accept: a\x20",
}

MESSAGES = {
    "text": frame(1, b"hello"),
    "binary": frame(2, bytes(range(130))),
    "long": frame(2, b"x" * 70000)[:300],
    "utf8": frame(1, UTF8),
    "bad_utf8": frame(1, b"ok \xc0\xaf"),
    "surrogate": frame(1, b"\xed\xa0\x80"),
    "fragments": frame(1, UTF8[:5], fin=False) + frame(9, b"ping") + frame(0, UTF8[5:9], fin=False) + frame(0, UTF8[9:]),
    "cut_character": frame(1, UTF8[:4]),
    "empty": frame(1) + frame(2) + frame(1, b"", fin=False) + frame(0),
    "close": frame(8, struct.pack(">H", 1000) + b"bye"),
    "close_empty": frame(8),
    "close_one": frame(8, b"x"),
    "close_1005": frame(8, struct.pack(">H", 1005)),
    "unmasked": frame(1, b"hello", key=None),
    "server": frame(1, b"hello", key=None) + b"\0\x01",
    "reserved": frame(1, b"x", rsv=4),
    "opcode": frame(3, b"x"),
    "big_control": frame(9, b"x" * 126),
    "not_shortest": b"\x81\xfe\x00\x05" + KEY + b"hello",
    "lone_continuation": frame(0, b"x"),
    "interleaved": frame(1, b"a", fin=False) + frame(1, b"b"),
    "too_big": frame(2, b"x" * 201) + b"\0\x02",
    "many_fragments": frame(1, b"a", fin=False) + frame(0, b"b", fin=False) * 4 + b"\0\x04",
}

TEXT = {
    "ascii": b"hello, world, this is more than sixty-four bytes of text, so that blocks are used",
    "utf8": UTF8 * 6,
    "overlong": b"\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf",
    "too_large": b"\xf4\x90\x80\x80",
    "surrogates": b"\xed\xa0\x80\xed\xbf\xbf",
    "cut": UTF8 * 4 + b"\xf0\x9d\x84" + b"\xff\1\2\3\4",
    "head": b"Host: example.com\r\nA-b_c: \t d\x7f\r\n" * 3,
}

JSON = {
    "object": b'{"id":12,"tags":["a","\\u00e9"],"ok":true,"none":null,"x":-1.5e+3}',
    "spaces": b' [\n\t{ "a" : 1 } ,\r\n  [ ] ]\n' * 4,
    "escapes": b'["\\\\\\"","\\\\\\\\",\\"a\\"]' * 9,
    "controls": b'"\x01\\\n\n\x1f" \x0c\x1a,\x00"' * 5,
    "long": b'"' + UTF8 * 20 + b'",' + b"\\" * 63 + b'"' + b"\\" * 65 + b'"',
}

# The last byte: how many edits, for which the twelve bytes each before it are taken; the one before it: blanks in front.
def edited(text, *steps):
    control = b"".join(bytes(step[::-1]).rjust(12, b"\0") for step in reversed(steps))
    return text + control + b"\0" + bytes([len(steps)])


JSON_TEXTS = {name: text + b"\0\0" for name, text in {
    **JSON, "array": b"[1,2.5,-0,1e400,18446744073709551616,null]", "nested": b"[" * 21 + b"]" * 21, "cut": b'{"a":[tru', "half": b'"\\ud83d\\ud',
    "pair": b'"\\ud83d\\ude00"', "twice": b'{"a":1,"\\u0061":{"a":[]}}', "bad_utf8": b'["\xc3\xa9",\xff]', "mark": b"\xef\xbb\xbf[]",
}.items()}
JSON_TEXTS.update({"cut_by_window": b'{"a":["\\u00e9",true]}' + b"\xf8\x03\x01\0"} | {"edit_%d" % how: edited(
    b'{"list":["a text of more than fourteen",[null,{}]],"null":null}', [how % 3, how % 2, 0, 16, how, how % 11, 1, 0], [1, 0, 17, 1, (how + 5) % 11, 2, 0, 1]) for how in range(11)})

CODES = {
    "empty": b"",
    "padded": b"Zm9vYg==",
    "one_pad": b"Zm9vYmE=",
    "whole": b"Zm9vYmFy",
    "bits_left": b"Zm9vYh==",
    "url": b"-_-_",
    "space": b"Zm9v YmFy",
}

QUERIES = {
    "pairs": b"a=1&b=2&c",
    "encoded": b"name=J%C3%BCrgen+M&x=%2F%2f",
    "broken": b"a=%&b=%4&c=%zz",
    "odd": b"&&=&==&a=b=c",
}

# A pattern, a guard's prefix, a path: see path_guard_fuzz.cc.
GUARDS = {"%s_%d" % (name, n): b"\n".join([pattern, b"/admin", path]) for name, pattern in {
    "wildcard": b"/*", "named": b"/*rest", "optional": b"/:a?", "two": b"/[a]/:b<slug>?", "doubled": b"//:a/*", "text": b"/admin/x",
    "encoded": b"/admin%2F:a",
}.items() for n, path in enumerate([b"/admin", b"/%61dmin/x", b"//admin%2Fx/", b"/;x/admin;y/z", b"/\\admin%5cx", b"/x/..%2fadmin", b"/admin%00"])}

ORIGINS = {"%s_%d" % (name, n): pattern + b"\n" + origin for name, pattern in {
    "any": b"*", "null": b"null", "plain": b"https://a.example", "port": b"http://a.example:8080", "ports": b"http://localhost:*",
    "below": b"https://*.a.example", "both": b"https://*.a.example:*", "address": b"http://[::1]:*",
}.items() for n, origin in enumerate([b"https://a.example", b"null", b"http://localhost:5173", b"https://x.y.a.example:1", b"http://[::1]:80", b"https://evil-a.example"])}


def deflate(text, wbits, level=6, strategy=zlib.Z_DEFAULT_STRATEGY, flush=None):
    c = zlib.compressobj(level, zlib.DEFLATED, wbits, 8, strategy)
    if flush is None:
        return c.compress(text) + c.flush()
    half = len(text) // 2
    return c.compress(text[:half]) + c.flush(flush) + c.compress(text[half:]) + c.flush()


# The last byte: the format, and 64 for a trailer that fits, or for several raw streams. Its remainder by 3 is the format.
RAW, ZLIB, GZIP, ZLIB_FITS, GZIP_FITS, RAW_SEVERAL = 0, 1, 2, 64, 65, 66
PROSE = b"".join(b'{"id":%d,"name":"user %d","ok":true},' % (i * i, i) for i in range(12))


def inflate(stream, mode, cut=False):
    """Whole with a window of 32 KiB, or cut at every byte, of output too."""
    return stream + (b"\xff" + b"\0\0" + b"\0" if cut else b"\0" * 4) + bytes([mode])


STREAMS = {
    "stored": (deflate(PROSE, -15, 0), RAW), "fixed": (deflate(PROSE, -15, 6, zlib.Z_FIXED), RAW),
    "dynamic": (deflate(PROSE, -15, 9), RAW), "literals": (deflate(PROSE, -15, 6, zlib.Z_HUFFMAN_ONLY), RAW),
    "runs": (deflate(b"a" * 3000 + b"abc" * 500, -15, 6, zlib.Z_RLE), RAW),
    "sync": (deflate(PROSE, -15, 6, flush=zlib.Z_SYNC_FLUSH), RAW), "full": (deflate(PROSE, -15, 6, flush=zlib.Z_FULL_FLUSH), RAW),
    "zlib": (deflate(PROSE, 15), ZLIB), "gzip": (deflate(PROSE, 31), GZIP), "no_bytes": (deflate(b"", -15), RAW),
    "zlib_fits": (deflate(PROSE, -15), ZLIB_FITS), "gzip_fits": (deflate(PROSE, -15), GZIP_FITS),
    "gzip_head": (b"\x1f\x8b\x08\x1d" + b"time\x02\x03" + b"\x03\0abcname\0comment\0" + deflate(PROSE, -15), GZIP),
    "two_symbols": (deflate(b"ab" * 40, -15), RAW), "noise": (bytes(range(256)), RAW),
    "several": (deflate(PROSE, -15) + bytes.fromhex("f30011000100") + deflate(b"", -15) + deflate(PROSE, -15, 6, zlib.Z_FIXED), RAW_SEVERAL),
    "far": (deflate(bytes(i * i % 251 for i in range(2000)) * 2, -15), RAW),
}
INFLATE = {name: inflate(*stream) for name, stream in STREAMS.items()}
INFLATE.update({name + "_cut": inflate(*stream, cut=True) for name, stream in STREAMS.items()})


def deflating(text, level=0, window=15, context=True, steps=((1, 0),), cuts=b"\0", large=False):
    """Steps are what happens to each piece in turn, and how much noise is put behind it: see deflate_fuzz.cc."""
    mode = level | (window - 8) << 1 | (0 if context else 16) | (64 if large else 0)
    control = bytes([mode, len(steps) - 1])
    for how, noise in steps:
        control += bytes([how]) + (struct.pack(">H", noise) if how & 64 else b"")
    return text + (control + cuts)[::-1]


SYNC, FINISH, REPEAT, NOISE, RESET_CONTEXT = 1, 2, 32 | 1 << 3, 64, 128
THREE = b"\2\0\x20\0\x40"  # pieces
DEFLATE = {}
for level in range(2):
    for window in (8, 9, 12, 15):
        for context in (False, True):
            name = "%d_%d_%d_" % (level, window, context)
            DEFLATE[name + "sync"] = deflating(PROSE, level, window, context, cuts=THREE)
            DEFLATE[name + "all"] = deflating(PROSE, level, window, context, ((0, 0), (FINISH, 0), (SYNC | NOISE, 300)), THREE)
            DEFLATE[name + "long"] = deflating(PROSE, level, window, context, ((REPEAT, 0), (SYNC | REPEAT | NOISE, 30000)), THREE, window > 11)
            DEFLATE[name + "reset"] = deflating(b"abcabcabc" * 30, level, window, context, ((SYNC, 0), (SYNC | RESET_CONTEXT, 0)), b"\xff")
# Lines of Sec-WebSocket-Extensions, then the control bytes: windows and contexts that are preferred.
OFFERS = {name: offer + b"\x3f\x03" for name, offer in {
    "browser": b"permessage-deflate; client_max_window_bits",
    "all": b"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; "
           b"client_max_window_bits=\"1\\0\"",
    "many": b"foo; a=\"b\", permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=8",
    "lines": b"permessage-deflate; x\nx, ,\npermessage-deflate", "past": b"x," * 64 + b"permessage-deflate",
}.items()}


def setting(lines, flags, enums, number=(0, 0)):
    """Name, value, path and domain of a cookie that is set, and its options: see cookie_fuzz.cc."""
    return lines + struct.pack("<HHBBBH", *number, enums, flags, 0x20, 1)


COOKIES = {
    "line": b"a=1; sid=x%20y; b=\"q; r\"; =v; w; a=2;;", "odd": b" \ta = 1 ;\tsid==%zz;$Version=1, x=y; \xff=\x00",
    "set": setting(b"sid\nann\n/\nexample.com", 0x39, 0x06, (1, 3600)), "host": setting(b"__Host-sid\nx y;\n/\n", 0x0A, 0x0A),
    "raw": setting(b"a\n\"x/y=\"\n/a/b\n.x.y", 0x3D, 0x01, (9, 9)), "long": setting(b"a\n \n\n", 0x10, 0x10, (0, 5000)),
    "http": setting(b"__host-HTTP-a\n\n/\n", 0x09, 0x03), "bad": setting(b"a\n\na;\n-", 0, 0),
}

# Texts of events; those with 1 behind them are lists of arguments: see events_fuzz.cc.
EVENTS = {
    "event": b'{"event":"save","args":[1,"a",{"b":[true]}],"ack":7}\0', "plain": b'{"event":"a","args":["x"]}\0', "answer": b'{"ack":7,"args":[1]}\0',
    "other": b'{"args":[],"room":"x","ack":1e2,"\\u0065vent":"\\n"}\0', "twice": b'{"event":"a","args":[1],"event":"b","args":[2]}\0',
    "type": b'{"type":"save","data":{"ack":7},"ack":8}\0', "list": b'[1,-2,"a\\tb",[3],{"c":null}]\x01', "number": b"[-128]\x01", "text": b'["abcdefghijklmnopq"]\x01',
    "flag": b"[false]\x01",
}

# What an input is, and which options: see jwt_fuzz.cc.
TOKEN, SIGNED, KEYS, SIGNATURE = range(4)


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(header, claims):
    message = url64(header) + b"." + url64(claims)
    return message + b"." + url64(hmac.new(b"a secret of thirty-two bytes, or", message, "sha256").digest())


P256_G = bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                       "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
SPKI_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
HS256 = b'{"alg":"HS256","typ":"JWT"}'
JWT = {name: text + bytes([options, what]) for name, (what, options, text) in {
    "token": (TOKEN, 0, token(HS256, b'{"sub":"7","exp":1800000001}')), "none": (TOKEN, 0, url64(b'{"alg":"none"}') + b".e30."),
    "rs256": (TOKEN, 0, url64(b'{"alg":"RS256","kid":"r"}') + b".e30." + url64(b"\1" * 256)), "es256": (TOKEN, 0, url64(b'{"alg":"ES256"}') + b".e30." + url64(b"\1" * 64)),
    "claims": (SIGNED, 1, HS256 + b'\n{"iss":"i","aud":["x","b"],"exp":1799999980,"nbf":1800000020.5,"list":[1,{"a":"\\u00e9"}]}'),
    "age": (SIGNED, 2, b'{"alg":"HS256","kid":"k","x":[{}]}\n{"sub":"s","iat":1799999950,"aud":"y"}'),
    "typed": (SIGNED, 3, b'{"typ":"application/AT+jwt","alg":"HS256"}\n{"sub":"s","jti":"j"}'),
    "critical": (SIGNED, 0, b'{"alg":"HS256","crit":["b64"],"b64":false}\n{}'), "twice": (SIGNED, 0, b'{"alg":"HS256","\\u0061lg":"x"}\n{"a":1,"a":2}'),
    "jwk": (KEYS, 0, b'{"kty":"EC","crv":"P-256","use":"sig","kid":"a","x":"' + url64(P256_G[:32]) + b'","y":"' + url64(P256_G[32:]) + b'"}'),
    "jwks": (KEYS, 0, b'{"keys":[{"kty":"RSA","alg":"RS256","key_ops":["verify"],"e":"AQAB","n":"' + url64(b"\xdb" * 256) + b'"},{"kty":"oct","k":"AAAA"}]}'),
    "pem": (KEYS, 0, b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(SPKI_HEAD + P256_G) + b"-----END PUBLIC KEY-----\n"),
    "spki": (KEYS, 0, SPKI_HEAD + P256_G), "pkcs1": (KEYS, 0, b"\x30\x82\1\x0a\2\x82\1\1\0" + b"\xdb" * 256 + b"\2\3\1\0\1"),
    "p256": (SIGNATURE, 0, P256_G + b"\x11" * 64 + b"\1"), "rsa": (SIGNATURE, 0, b"\xdb" * 256 + b"\0\1\0\1" + b"\x11" * 256 + b"\0"),
}.items()}

# Opcodes of the server target: see server_fuzz.cc.
TURN, OPEN, FEED, EOF, RESET, CAPACITY, PIECE, TIME, FAULT, POST, BULK, OPEN_PROXIED = range(12)


def feed(slot, data):
    out = b""
    for i in range(0, len(data), 250):
        part = data[i:i + 250]
        out += bytes([FEED << 4 | slot, len(part)]) + part
    return out


def op(code, slot=0, *args):
    return bytes([code << 4 | slot]) + bytes(args)


def request(line, body=b"", fields=b""):
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return line + b" HTTP/1.1\r\nHost: x\r\n" + fields + length + b"\r\n" + body


def asking(*requests, prefix=b"", connect=OPEN):
    return op(connect) + op(TURN) + feed(0, prefix + b"".join(requests)) + (op(TURN) * 2 + op(TIME, 0, 10)) * 4 + op(POST, 0, 0) + op(TURN)


PROXY_2 = b"\r\n\r\n\0\r\nQUIT\n"
JSON_TYPE = b"Content-Type: application/json\r\n"
FORM_TYPE = b"Content-Type: application/x-www-form-urlencoded\r\n"
PROXIED = b"X-Forwarded-For: 203.0.113.9, 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example:81\r\nX-Request-Id: id-1\r\n"
SESSION = op(OPEN) + op(TURN) + feed(0, UPGRADE) + op(TURN)
SERVER = {
    "get": op(OPEN) + op(TURN) + feed(0, HTTP["short"] * 3) + op(TURN) * 2,
    "post": op(OPEN) + feed(0, HTTP["length"]) + op(TURN) + feed(0, HTTP["chunked"]) + op(TURN),
    "later": op(OPEN) + feed(0, b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n" + HTTP["short"]) + op(TURN) * 3 + op(POST, 0, 0) + op(TURN) * 2,
    "slow": op(OPEN) + op(TURN) + feed(0, b"GET / HT") + op(TURN) + op(TIME, 0, 101) + op(TURN) + op(TIME, 0, 101) + op(TURN),
    "echo": SESSION + feed(0, MESSAGES["text"] + MESSAGES["fragments"]) + op(TURN) + feed(0, MESSAGES["close"]) + op(TURN) * 2,
    "events": op(OPEN) + op(TURN) + feed(0, UPGRADE.replace(b"/echo", b"/events") + frame(1, b'{"event":"say","args":["x",[1]],"ack":7}') + frame(1, b'{"ack":0,"args":[1]}') +
                                          frame(1, b'{"event":"say","args":[7]}') + frame(1, b'{"event":"off","args":["say"]}') + frame(1, b"text")) + op(TURN) * 3,
    "pieces": op(PIECE, 0, 1) + SESSION + feed(0, MESSAGES["utf8"] + MESSAGES["binary"]) + op(TURN) * 9,
    "large": SESSION + feed(0, frame(2, b"x" * 70000)[:600]) + op(TURN) * 3 + op(EOF) + op(TURN),
    "rooms": b"".join(op(OPEN, s) + op(TURN) + feed(s, UPGRADE.replace(b"/echo", b"/room")) + op(TURN) for s in range(3)) +
             feed(0, frame(1, b"jden") + frame(1, b"hall")) + op(TURN) + feed(1, frame(1, b"jden") + frame(1, b"hmore") + frame(1, b"lden")) + op(TURN) * 2,
    "reader": SESSION + op(CAPACITY, 0, 10) + feed(0, MESSAGES["binary"] * 3) + op(TURN) * 3 + op(CAPACITY, 0, 255) + op(TURN) * 3,
    "heartbeat": SESSION + op(TIME, 0, 180) + op(TURN) + op(TIME, 0, 180) + op(TURN) + op(TIME, 0, 180) + op(TURN) * 2,
    "reset": SESSION + op(RESET) + op(TURN) * 2,
    "readers": asking(request(b"GET /typed/-128?page=65535&ratio=1e3&all&tag=a&tag=b"), request(b"GET /typed/x?page=65536"), request(b"GET /users/7"),
                      request(b"GET /files/a-b"), request(b"GET /files"), request(b"GET /accept?file=%C3%BC.txt&vary=Origin", fields=b"Accept: text/html;q=0.5, application/json\r\n"),
                      request(b"GET /accept", fields=b"If-None-Match: \"1\"\r\nAccept-Language: de;q=0.1, en\r\n")),
    "cookies": asking(request(b"GET /cookie?name=__Host-a&value=%20x", fields=b"Cookie: a=1; sid=\"x\"\r\nCookie: b=%20; clear=sid\r\n"), request(b"POST /cookie?name=%20&domain=a.b")),
    "who": asking(request(b"GET /who", fields=PROXIED), request(b"GET /who?later", fields=PROXIED), request(b"GET /who")),
    "bodies": asking(request(b"POST /form", b"a=1&b=%20+c&a=2&=&%", FORM_TYPE), request(b"POST /form", b"a", JSON_TYPE), request(b"POST /json", JSON["object"], JSON_TYPE),
                     request(b"POST /json", b"{", JSON_TYPE), request(b"PUT /own", b'{"title":"t","likes":1}', JSON_TYPE), request(b"PUT /own", b'{"title":7}', JSON_TYPE)),
    "too_large": asking(request(b"POST /form", b"", FORM_TYPE + b"Content-Length: 5001\r\n")) + asking(request(b"POST /json", b"[" * 20, JSON_TYPE + b"Expect: 100-continue\r\n")),
    "failures": asking(*[request(b"GET /%s/%d?text=%%22t%%0A" % (how, status), fields=b"Accept: application/json\r\n") for how in (b"fail", b"error") for status in (7, 404, 418, 419, 420, 421, 599)]),
    "mounted": asking(request(b"GET /mounted/a"), request(b"GET /mounted/a/7"), request(b"GET /mounted/a/x"), request(b"GET /mounted/a?stop"), UPGRADE.replace(b"/echo", b"/mounted/ws")),
    "tasks": asking(request(b"GET /task/3"), request(b"GET /task/13"), request(b"GET /task/x"), request(b"POST /task/body?nap", b"short"), request(b"POST /task/body", b"more than ten")),
    "tasks_gone": op(OPEN) + op(TURN) + feed(0, request(b"GET /task/200")) + op(TURN) * 2 + op(RESET) + op(TURN) +
                  op(OPEN, 1) + op(TURN) + feed(1, request(b"POST /task/body?nap", b"more than ten")[:-5]) + op(TURN) * 2 + op(EOF, 1) + op(TURN) * 2,
    "proxy_1": asking(request(b"GET /who"), prefix=b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n", connect=OPEN_PROXIED),
    "proxy_1_trusted": asking(request(b"GET /who", fields=PROXIED), prefix=b"PROXY TCP6 ::1 2001:db8::1 4711 80\r\n", connect=OPEN_PROXIED),
    "proxy_unknown": asking(request(b"GET /who"), prefix=b"PROXY UNKNOWN\r\n", connect=OPEN_PROXIED),
    "proxy_2": asking(request(b"GET /who"), prefix=PROXY_2 + b"\x21\x11\0\x0c\xcb\0\x71\x09\x0a\0\0\1\x12\x67\0\x50", connect=OPEN_PROXIED),
    "proxy_2_local": asking(request(b"GET /who"), prefix=PROXY_2 + b"\x20\0\0\5\3\0\2ab", connect=OPEN_PROXIED),
    "proxy_none": asking(request(b"GET /who"), connect=OPEN_PROXIED),
    "proxy_slow": op(OPEN_PROXIED) + op(TURN) + feed(0, b"PROXY T") + op(TURN) + op(TIME, 0, 101) + op(TURN) * 2,
    "faults": op(FAULT, 0, 3, 0) + op(OPEN) + op(TURN) + op(FAULT, 0, 1, 2) + op(OPEN, 1) + op(TURN) + feed(0, HTTP["short"]) + op(TURN),
}

CREDENTIALS = {
    "aladdin": b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "utf8": b"basic  dGVzdDoxMjPCow==", "empty": b"Basic Og==", "no_colon": b"Basic YQ==",
    "unpadded": b"Basic YTpi", "bits": b"Basic Og=B", "control": b"Basic AAo6", "bearer": b"Bearer mF_9.B5f-4.1JqM", "protocols": b"chat, bearer, abc.d-e_f, v2",
    "dotted": b"bearer.abc.def, chat", "origin": b"https://a.example:8443", "referer": b"http://[::1]:80/a?b#c", "session": b"1.2000.1000.abcdefghijklmnopqrst-_.eyJhIjoxfQ",
}

SEEDS = {
    "http_parser": HTTP, "http_chunked": CHUNKED, "ws_handshake": HANDSHAKE, "ws_message": MESSAGES,
    "kernels": TEXT, "json": JSON_TEXTS, "json_kernels": JSON, "base64": CODES, "percent": QUERIES, "server": SERVER,
    "path_guard": GUARDS, "inflate": INFLATE, "deflate": DEFLATE, "permessage_deflate": OFFERS, "cookie": COOKIES,
    "events": EVENTS, "jwt": JWT, "basic_auth": CREDENTIALS, "cors": ORIGINS,
}
STEERED = {"http_parser", "http_chunked", "ws_message", "kernels", "json_kernels"}  # each seed whole, and cut at every byte


def main():
    for target, seeds in SEEDS.items():
        folder = os.path.join(sys.argv[1], target)
        os.makedirs(folder, exist_ok=True)
        for name, seed in seeds.items():
            with open(os.path.join(folder, name), "wb") as out:
                out.write(seed + (b"\0" * 6 if target in STEERED and not seed.endswith((b"\x01", b"\x02", b"\x04")) else b""))
            if target in STEERED:
                with open(os.path.join(folder, name + "_cut"), "wb") as out:
                    out.write(seed + b"\xff" + b"\0" * (4 if target == "kernels" else 1))


if __name__ == "__main__":
    main()
