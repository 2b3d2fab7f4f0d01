class Decoder:
    def __init__(self) -> None:
        self.kept = bytearray()
        self.text = b""

    def take(self, parts: list[bytes]) -> None:
        for part in parts:
            self.kept += bytes(part)
            self.text += bytes(part)  # flagged


def unpacked(parts: list[bytes]) -> bytes:
    out = bytearray()
    for part in parts:
        out += bytes(part)
    return bytes(out)
