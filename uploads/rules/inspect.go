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

// decodeConfig returns the size of a picture in pixels, as the decoder of its type reads it.
func decodeConfig(h *head, decode func(io.Reader) (image.Config, error)) (width, height int, refused *reason) {
	config, err := decode(h.reader())
	// The decoder may have needed bytes beyond the head.
	isCut := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if isCut && h.exhausted() {
		return 0, 0, headTooLong
	}
	if err != nil || config.Width < 1 || config.Height < 1 {
		return 0, 0, damaged
	}
	return config.Width, config.Height, nil
}

const (
	gifScreen    = 13   // bytes before the color table of a GIF
	gifExtension = 0x21 // first byte of an extension block
	gifPicture   = 0x2C // first byte of a picture
)

// inspectGIF reads the blocks of a GIF up to the first picture. It refuses a file without a picture
// inside the screen, because such a file is probably of another format.
func inspectGIF(h *head) (width, height int, refused *reason) {
	// Read the size of the screen.
	width, height, refused = decodeConfig(h, gif.DecodeConfig)
	if refused != nil {
		return 0, 0, refused
	}

	// Skip the header and the table of colors.
	screen, ok := h.bytesAt(0, gifScreen)
	if !ok {
		return 0, 0, damaged
	}

	const flagsOffset = 10
	flags := screen[flagsOffset]
	hasColorTable := flags&0x80 != 0
	offset := gifScreen
	if hasColorTable {
		// The lowest three bits give the number of its colors, of three bytes each.
		offset += 3 << (flags&7 + 1)
	}

	// Skip the extensions before the first picture.
	for {
		block, ok := h.bytesAt(offset, 1)
		if !ok {
			return 0, 0, h.missingReason()
		}
		switch block[0] {
		case gifExtension:
			const labelSize = 1
			offset, ok = skipSubBlocks(h, offset+1+labelSize)
			if !ok {
				return 0, 0, h.missingReason()
			}
		case gifPicture:
			if !gifFrameFits(h, offset+1, width, height) {
				return 0, 0, damaged
			}
			return width, height, nil
		default:
			return 0, 0, damaged
		}
	}
}

// gifFrameFits reports whether the picture of a GIF, whose description begins at this offset, fits into
// a screen of this width and height.
func gifFrameFits(h *head, offset, width, height int) bool {
	// The left and top edge, the width and the height have two bytes each, and one byte of flags follows.
	frame, ok := h.bytesAt(offset, 9)
	if !ok {
		return false
	}
	// little16 reads a number of two bytes, the lower one first.
	right := little16(frame) + little16(frame[4:])
	bottom := little16(frame[2:]) + little16(frame[6:])
	return right <= width && bottom <= height
}

// skipSubBlocks returns the offset after the sub-blocks that begin at this offset, up to and including
// the empty one that ends them.
func skipSubBlocks(h *head, offset int) (next int, ok bool) {
	for {
		size, ok := h.bytesAt(offset, 1)
		if !ok {
			return 0, false
		}
		offset += 1 + int(size[0]) // the byte of the size, and as many bytes of data
		if size[0] == 0 {
			return offset, true
		}
	}
}
