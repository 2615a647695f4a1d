"""Which characters the bytes stand for: UTF-8, UTF-16, GB18030 or Windows-1252, and a guess where no rule decides.

The evidence is every line that is not plain ASCII, up to a cap, from the whole file and not only its head: exports
often begin with thousands of ASCII rows. A file that is UTF-8 but for a few rows stays UTF-8, and those rows become
problems (their bytes decode to lone surrogates, see ``BAD_BYTES``), because reading all of it as Windows-1252 would
damage every good row.
"""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO

EVIDENCE_BYTES = 1 << 20
BAD_BYTES = "tagstudio-bad-bytes"
BAD_TEXT = re.compile("[\0\ud800-\udfff]")
"""What no stored text may hold: NUL, and surrogates (undecodable bytes or broken JSON escapes)."""


def is_sound(text: str) -> bool:
    """Whether BAD_TEXT finds nothing in the text, which is asked of every row: much quicker than looking for it."""
    if "\0" in text:
        return False
    try:
        return text.isascii() or bool(text.encode())  # a surrogate has no encoding
    except UnicodeEncodeError:
        return False


_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What European shops really write beyond ASCII. Letters such as þ ÿ ¶ are what other encodings look like in this one.
_WESTERN = frozenset(
    "äöüÄÖÜßéèêëàâáãåçñóòôõøíìîïúùûœæÉÈÊÀÂÁÅÇÑÓÔØÍÎÚŒÆýšžŠŽŸÿ€£¥©®™°²³½¼¾±×µ§·•–—‘’“”„‚«»‹›…\xa0¿¡º¹†‰"
)
_GUESSES = ("big5", "cp125", "cp932", "cp949", "cp950", "euc_", "iso8859", "koi8", "shift_jis")
"""What a guess is believed: encodings shops' exports come in, and none that fits any bytes at all."""
NAMES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "gb18030": "GB18030",
    "cp1252": "Windows-1252",
}


def _keep_bad_bytes(error: UnicodeError) -> tuple[str, int]:
    """Each undecodable byte as a lone surrogate U+DC00 + byte, so that a row can be told to be bad later."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(BAD_BYTES, _keep_bad_bytes)


def detect_encoding(stream: BinaryIO) -> str | None:
    """The codec's name, or None where nothing fits. Reads on until it has evidence enough."""
    head = stream.read(1 << 16)
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    if wide := _utf16_without_bom(head):
        return wide
    return judge(_evidence(head, stream))


def _utf16_without_bom(head: bytes) -> str | None:
    """UTF-16 leaves a NUL beside every ASCII character, all at odd or all at even places."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if even + odd < max(2, len(head) * 0.02) or min(even, odd) * 20 > max(even, odd):
        return None
    name = "utf-16-le" if odd > even else "utf-16-be"
    text = head[: len(head) // 2 * 2].decode(name, "replace")
    odd_ones = sum(c == "\ufffd" or (c < " " and c not in "\t\r\n") for c in text)
    return name if "\n" in text and odd_ones * 50 < len(text) else None


def _evidence(head: bytes, stream: BinaryIO) -> bytes:
    """Lines that are not ASCII, from all of the stream, at most EVIDENCE_BYTES."""
    kept: list[bytes] = []
    size = 0
    block, tail = head, b""
    while block and size < EVIDENCE_BYTES:
        block = tail + block
        cut = block.rfind(b"\n") + 1
        whole, tail = (block[:cut], block[cut:]) if cut else (block, b"")
        if not whole.isascii():
            lines = [line for line in whole.split(b"\n") if not line.isascii()]
            kept += lines
            size += sum(map(len, lines))
        block = stream.read(1 << 20)
    if tail and not tail.isascii():
        kept.append(tail)
    return b"\n".join(kept)


def judge(evidence: bytes) -> str | None:
    """The encoding that non-ASCII lines speak for. The order of the rules matters."""
    text = evidence.decode("utf-8", BAD_BYTES)
    bad = len(BAD_TEXT.findall(text))
    if not bad:
        return "utf-8"
    good = sum(not c.isascii() for c in text) - bad
    if good > 2 * bad:
        return "utf-8"
    if by_rule := "gb18030" if _looks_chinese(evidence) else "cp1252" if _looks_western(evidence) else None:
        return by_rule
    lines = evidence.split(b"\n")
    dense = [line for line in lines if sum(b > 127 for b in line) * 4 > len(line)]
    if len(evidence) < 4096 and len(dense) * 2 <= len(lines):
        return "utf-8"  # a few damaged rows and nothing else to go by
    return _guess(evidence)


def _looks_chinese(evidence: bytes) -> bool:
    """Most characters are common hanzi (GB 2312 level 1, lead byte B0 to D7) or full-width signs, few are broken."""
    common = all_wide = broken = at = 0
    sample = evidence[: 1 << 17]
    size = len(sample)
    while at < size:
        byte = sample[at]
        if byte < 0x80:
            at += 1
            continue
        trail = sample[at + 1] if at + 1 < size else 0
        if not 0x81 <= byte <= 0xFE or not (0x40 <= trail <= 0xFE or 0x30 <= trail <= 0x39):
            broken += 1
            at += 1
            continue
        all_wide += 1
        common += trail >= 0xA1 and (0xB0 <= byte <= 0xD7 or 0xA1 <= byte <= 0xA3)
        at += 4 if 0x30 <= trail <= 0x39 else 2
    return all_wide > 0 and common >= 0.7 * all_wide and broken <= 0.05 * all_wide


def _looks_western(evidence: bytes) -> bool:
    wide = [c for c in evidence[: 1 << 17].decode("cp1252", "replace") if not c.isascii()]
    return sum(c in _WESTERN for c in wide) >= 0.95 * len(wide)


def _guess(evidence: bytes) -> str | None:
    from charset_normalizer import from_bytes  # only here: loading it costs more than most files

    best = from_bytes(evidence[: 1 << 16]).best()
    if best is None or best.chaos > 0.1 or not best.encoding.startswith(_GUESSES):
        return None
    return best.encoding
