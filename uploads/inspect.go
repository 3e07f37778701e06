package uploads

import (
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
)

// An inspector looks at the structure behind a type's first bytes. It tells the
// picture's size in pixels, or why the file is refused.
type inspector func(*head) (width, height int, refused Code)

var inspectors = map[string]inspector{
	"image/jpeg": inspectJPEG,
	typePNG:      func(h *head) (int, int, Code) { return decodeConfig(h, png.DecodeConfig) },
	"image/gif":  inspectGIF,
	"image/webp": inspectWebP,
	"image/avif": inspectAVIF,
	typeSVG:      inspectSVG,
}

func decodeConfig(h *head, decode func(io.Reader) (image.Config, error)) (width, height int, refused Code) {
	c, err := decode(h.reader())
	if err != nil || c.Width < 1 || c.Height < 1 {
		return 0, 0, Damaged
	}
	return c.Width, c.Height, ""
}

func inspectJPEG(h *head) (width, height int, refused Code) {
	width, height, refused = decodeConfig(h, jpeg.DecodeConfig)
	// FF D8 FF E0 are letters where a page says that it is in Latin-1, and the
	// length of the first segment can be a comment's beginning. JFIF's (E0) never
	// is that long; another's may be by chance.
	if opener, ok := h.piece(3, 3); ok && refused == "" && string(opener[1:]) == "/*" {
		if opener[0] == 0xE0 || goesOn(h.buf, "*/") {
			return 0, 0, ActiveContent
		}
	}
	return width, height, refused
}

const (
	gifScreen = 13 // bytes up to the color table
	gifMagic  = 6
)

// inspectGIF goes through the blocks up to the first picture: a file that has
// none, or none of its screen's size at most, is something else with this magic.
func inspectGIF(h *head) (width, height int, refused Code) {
	width, height, refused = decodeConfig(h, gif.DecodeConfig)
	if refused != "" {
		return 0, 0, refused
	}
	screen, ok := h.piece(0, gifScreen)
	if !ok {
		return 0, 0, Damaged
	}
	if readsAsScript(h.first(sniffBytes), gifMagic) {
		return 0, 0, ActiveContent
	}
	at := gifScreen + colorTable(screen[10])
	for {
		block, ok := h.piece(at, 1)
		if !ok {
			return 0, 0, Damaged
		}
		switch block[0] {
		case 0x21: // an extension: a label, then pieces
			if at, ok = skipPieces(h, at+2); !ok {
				return 0, 0, Damaged
			}
		case 0x2C:
			frame, ok := h.piece(at+1, 9)
			if !ok || little16(frame)+little16(frame[4:]) > width || little16(frame[2:])+little16(frame[6:]) > height {
				return 0, 0, Damaged
			}
			return width, height, ""
		default:
			return 0, 0, Damaged
		}
	}
}

// colorTable is the bytes of the table that the flags announce.
func colorTable(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// skipPieces goes behind the empty piece that ends a GIF's block.
func skipPieces(h *head, at int) (int, bool) {
	for {
		size, ok := h.piece(at, 1)
		if !ok {
			return 0, false
		}
		if at += 1 + int(size[0]); size[0] == 0 {
			return at, true
		}
	}
}

func little16(b []byte) int { return int(b[0]) | int(b[1])<<8 }
func little24(b []byte) int { return little16(b) | int(b[2])<<16 }

// inspectWebP reads the container and the first chunk (RFC 9649).
func inspectWebP(h *head) (width, height int, refused Code) {
	b, ok := h.piece(0, 30)
	if !ok || string(b[:4]) != "RIFF" || string(b[8:12]) != "WEBP" {
		return 0, 0, Damaged
	}
	if readsAsScript(h.first(sniffBytes), 4) {
		return 0, 0, ActiveContent
	}
	switch data := b[20:]; string(b[12:16]) {
	case "VP8 ":
		if data[0]&1 != 0 || string(data[3:6]) != "\x9d\x01\x2a" {
			return 0, 0, Damaged // no key frame
		}
		width, height = little16(data[6:])&0x3FFF, little16(data[8:])&0x3FFF
	case "VP8L":
		if data[0] != 0x2F || data[4]>>5 != 0 {
			return 0, 0, Damaged
		}
		bits := little24(data[1:]) | int(data[4])<<24
		width, height = bits&0x3FFF+1, bits>>14&0x3FFF+1
	case "VP8X":
		width, height = little24(data[4:])+1, little24(data[7:])+1
	}
	if width < 1 || height < 1 {
		return 0, 0, Damaged
	}
	return width, height, ""
}
