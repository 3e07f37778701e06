package rules

import "encoding/binary"

const (
	riffHeader   = 12
	riffChunk    = 8    // bytes of a chunk's name and length
	webpPicture  = 10   // first bytes of a picture or canvas, which contain its size
	webpFrame    = 16   // bytes of a frame before its picture
	webpAnimated = 0x02 // flag of an animated canvas
)

// inspectWebP reads the container (RFC 9649) up to the first picture. If the file also has a
// canvas, the picture must fit into it, because a decoder may use the size of either.
func inspectWebP(h *head) (width, height int, refused *reason) {
	// Read the header of the container.
	first, ok := h.bytesAt(0, riffHeader+riffChunk+webpPicture)
	if !ok || string(first[:4]) != "RIFF" || string(first[8:12]) != "WEBP" {
		return 0, 0, damaged
	}

	// Without a canvas, the first chunk is the picture.
	firstChunk := first[riffHeader:]
	if chunkName(firstChunk) != "VP8X" {
		return webpPictureSize(h, riffHeader)
	}

	// Read the size of the canvas.
	canvas := firstChunk[riffChunk:]
	width = little24(canvas[4:]) + 1
	height = little24(canvas[7:]) + 1
	isAnimated := canvas[0]&webpAnimated != 0

	// Skip the chunks before the first picture.
	offset := riffHeader
	for range maxBoxes {
		chunk, ok := h.bytesAt(offset, riffChunk)
		if !ok {
			return 0, 0, h.missingReason()
		}
		switch chunkName(chunk) {
		case "ANMF":
			if isAnimated {
				return width, height, checkWebPFrame(h, offset+riffChunk, width, height)
			}
		case "VP8 ", "VP8L":
			if !isAnimated {
				return width, height, checkSize(h, offset, width, height)
			}
		}
		offset += riffChunk + paddedLength(chunk)
	}
	return 0, 0, damaged
}

// chunkName returns the name of the chunk that begins with these bytes.
func chunkName(chunk []byte) string { return string(chunk[:4]) }

// paddedLength returns the length of a chunk's content, rounded up to an even number. If it exceeds
// headBytes, the result is only some number above headBytes.
func paddedLength(chunk []byte) int {
	return int(min(binary.LittleEndian.Uint32(chunk[4:]), headBytes)+1) &^ 1
}

// checkWebPFrame refuses the first frame of an animation if it exceeds a canvas of this width and
// height, or if the picture in it has another size.
func checkWebPFrame(h *head, offset, width, height int) *reason {
	frame, ok := h.bytesAt(offset, webpFrame+riffChunk)
	if !ok {
		return h.missingReason()
	}

	// The frame has its place, in units of two pixels, and its size.
	left := 2 * little24(frame)
	top := 2 * little24(frame[3:])
	frameWidth := little24(frame[6:]) + 1
	frameHeight := little24(frame[9:]) + 1
	if left+frameWidth > width || top+frameHeight > height {
		return damaged
	}

	// The transparency of a picture may come before it.
	picture := offset + webpFrame
	if chunk := frame[webpFrame:]; chunkName(chunk) == "ALPH" {
		picture += riffChunk + paddedLength(chunk)
	}
	return checkSize(h, picture, frameWidth, frameHeight)
}

// checkSize refuses the picture at an offset if its own header says another size.
func checkSize(h *head, offset, width, height int) *reason {
	pictureWidth, pictureHeight, problem := webpPictureSize(h, offset)
	if problem != nil {
		return problem
	}
	if pictureWidth != width || pictureHeight != height {
		return damaged
	}
	return nil
}

// webpPictureSize reads the size of a picture from the header of its chunk, which begins at this offset.
func webpPictureSize(h *head, offset int) (width, height int, refused *reason) {
	chunk, ok := h.bytesAt(offset, riffChunk+webpPicture)
	if !ok {
		return 0, 0, h.missingReason()
	}

	// The width and the height have 14 bits each.
	const sizeBits = 1<<14 - 1
	data := chunk[riffChunk:]
	switch chunkName(chunk) {
	case "VP8 ":
		isKeyFrame := data[0]&1 == 0 && string(data[3:6]) == "\x9d\x01\x2a"
		if !isKeyFrame {
			return 0, 0, damaged
		}
		width = little16(data[6:]) & sizeBits
		height = little16(data[8:]) & sizeBits
	case "VP8L":
		hasSignature := data[0] == 0x2F
		version := data[4] >> 5
		if !hasSignature || version != 0 {
			return 0, 0, damaged
		}
		bits := little24(data[1:]) | int(data[4])<<24
		width = bits&sizeBits + 1
		height = bits>>14&sizeBits + 1
	}

	// The sizes stay 0 if the chunk is not a picture.
	if width < 1 || height < 1 {
		return 0, 0, damaged
	}
	return width, height, nil
}

func little16(b []byte) int { return int(b[0]) | int(b[1])<<8 }
func little24(b []byte) int { return little16(b) | int(b[2])<<16 }
