package rules

import "encoding/binary"

// A box is a box of the ISO base media file format. from and to are the offsets at which its
// content begins and ends.
type box struct {
	name     string
	from, to int
}

// maxBoxes limits how many boxes are read, because a file may have a great many tiny ones.
const maxBoxes = 10_000

// inspectAVIF returns the size of the largest picture that the boxes meta / iprp / ipco / ispe of the
// file describe. Encoders write them before the data, so that a picture can be shown while it loads.
func inspectAVIF(h *head) (width, height int, refused *reason) {
	r := boxReader{head: h, remaining: maxBoxes}
	file := box{name: "", from: 0, to: headBytes}
	boxes := r.children([]box{file}, "meta")
	for i := range boxes {
		// The boxes inside of meta come after its flags.
		boxes[i].from += boxFlags
	}
	boxes = r.children(boxes, "iprp")
	boxes = r.children(boxes, "ipco")

	// A file may have several pictures.
	for _, b := range r.children(boxes, "ispe") {
		pictureWidth, pictureHeight, ok := pictureSize(h, b)
		if !ok {
			return 0, 0, damaged
		}
		isLarger := int64(pictureWidth)*int64(pictureHeight) > int64(width)*int64(height)
		if isLarger {
			width = pictureWidth
			height = pictureHeight
		}
	}

	// There is no picture, or its size is 0.
	if width == 0 {
		return 0, 0, damaged
	}
	return width, height, nil
}

// boxFlags is the length of the version and the flags at the beginning of some boxes.
const boxFlags = 4

// pictureSize reads the width and the height of a picture, in pixels, from a box ispe.
func pictureSize(h *head, b box) (width, height int, ok bool) {
	// No real picture is larger, and the product must not overflow.
	const maxSide = 1 << 30
	const sizeBytes = 8
	offset := b.from + boxFlags
	size, ok := h.bytesAt(offset, sizeBytes)
	if !ok || offset+sizeBytes > b.to {
		return 0, 0, false
	}

	width32 := binary.BigEndian.Uint32(size)
	height32 := binary.BigEndian.Uint32(size[4:])
	if width32 < 1 || height32 < 1 || width32 > maxSide || height32 > maxSide {
		return 0, 0, false
	}
	return int(width32), int(height32), true
}

// A boxReader reads boxes until it has read a maximum number of them.
type boxReader struct {
	head      *head
	remaining int // number of boxes that may still be read
}

// children returns the boxes with this name inside the parents. At the top level, it returns only the first one,
// because the data of the picture follow it.
func (r *boxReader) children(parents []box, name string) []box {
	var children []box
	for _, parent := range parents {
		isTopLevel := parent.name == ""
		offset := parent.from
		for offset < parent.to && r.remaining > 0 {
			r.remaining--
			child, ok := boxAt(r.head, offset, parent.to)
			if !ok {
				break
			}
			offset = child.to
			if child.name != name {
				continue
			}
			children = append(children, child)
			if isTopLevel {
				break
			}
		}
	}
	return children
}

// boxAt reads the header of the box at this offset, which must end before end. It does not read boxes
// with a size of 64 bits or without a size, which only the picture data has.
func boxAt(h *head, offset, end int) (box, bool) {
	const headerSize = 8
	// The header is the size of the whole box, in 4 bytes, and its name.
	header, ok := h.bytesAt(offset, headerSize)
	if !ok {
		return box{}, false
	}
	size := int64(binary.BigEndian.Uint32(header))
	if size < headerSize || size > int64(end-offset) {
		return box{}, false
	}
	return box{name: string(header[4:]), from: offset + headerSize, to: offset + int(size)}, true
}
