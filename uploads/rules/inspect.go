package rules

import (
	"errors"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
)

// An inspector checks the structure of a file of one type, beyond its first bytes. It returns the
// size of the picture in pixels, or the reason why the file is refused.
type inspector func(*head) (width, height int, refused *reason)

var inspectors = map[string]inspector{
	"image/jpeg": func(h *head) (int, int, *reason) { return decodeConfig(h, jpeg.DecodeConfig) },
	typePNG:      func(h *head) (int, int, *reason) { return decodeConfig(h, png.DecodeConfig) },
	"image/gif":  inspectGIF,
	"image/webp": inspectWebP,
	"image/avif": inspectAVIF,
	typeSVG:      inspectSVG,
}

func decodeConfig(h *head, decode func(io.Reader) (image.Config, error)) (width, height int, refused *reason) {
	c, err := decode(h.reader())
	if err != nil && h.exhausted() && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return 0, 0, headTooLong
	}
	if err != nil || c.Width < 1 || c.Height < 1 {
		return 0, 0, damaged
	}
	return c.Width, c.Height, nil
}

const gifScreen = 13 // bytes before the color table of a GIF

// inspectGIF reads the blocks of a GIF up to the first picture. It refuses a file that has no
// picture, or whose picture exceeds the screen, because such a file is probably of another format.
func inspectGIF(h *head) (width, height int, refused *reason) {
	width, height, refused = decodeConfig(h, gif.DecodeConfig)
	if refused != nil {
		return 0, 0, refused
	}
	screen, ok := h.bytesAt(0, gifScreen)
	if !ok {
		return 0, 0, damaged
	}
	i := gifScreen
	if flags := screen[10]; flags&0x80 != 0 {
		// The file has a color table.
		i += 3 << (flags&7 + 1)
	}

	for {
		block, ok := h.bytesAt(i, 1)
		if !ok {
			return 0, 0, h.missingReason()
		}
		switch block[0] {
		case 0x21: // an extension block: a label, then sub-blocks
			i, ok = skipSubBlocks(h, i+2)
			if !ok {
				return 0, 0, h.missingReason()
			}
		case 0x2C:
			frame, ok := h.bytesAt(i+1, 9)
			if !ok || little16(frame)+little16(frame[4:]) > width || little16(frame[2:])+little16(frame[6:]) > height {
				return 0, 0, damaged
			}
			return width, height, nil
		default:
			return 0, 0, damaged
		}
	}
}

// skipSubBlocks returns the offset after the sub-blocks that begin at this offset. An empty
// sub-block is the last one.
func skipSubBlocks(h *head, i int) (int, bool) {
	for {
		size, ok := h.bytesAt(i, 1)
		if !ok {
			return 0, false
		}
		i += 1 + int(size[0])
		if size[0] == 0 {
			return i, true
		}
	}
}
