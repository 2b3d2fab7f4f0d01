from pathlib import Path

class Report:
    title: str = ""

    def __init__(self, path: Path) -> None:
        self.text = ""
        self.rows = []
        self.count = 0
        self.buffer = b""
        self.page = path.read_text()

    def build(self, lines, chunks):
        for line in lines:
            self.text += line.name  # flagged
            self.title += f"{line.name}, "  # flagged
            self.rows += [line]
            self.count += line.size
        for chunk in chunks:
            self.buffer += chunk  # flagged
        while chunks:
            self.page += chunks.pop()  # flagged
        self.text += "end"

    def lines(self, lines):
        for line in lines:
            self.text = ""
            for word in line:
                self.text += word  # flagged
            yield self.text

    def numbered(self, lines):
        for i in range(3):
            self.text += "x"
        for i, line in enumerate(lines):
            lines[i] += "!"

def read(stream) -> bytes:
    data = bytes()
    body = b""
    part = bytearray()
    for chunk in stream:
        body = body + chunk  # flagged
        part += chunk
        data += chunk  # flagged
    return body + bytes(part) + data

def grouped(rows):
    found = {}
    for row in rows:
        found[row.key] = found.get(row.key, "")
        found[row.key] += row.text
    return found

def varint(value: int) -> bytes:
    out = b""
    while value:
        out += bytes([value & 0x7F])
        value >>= 7
    return out
