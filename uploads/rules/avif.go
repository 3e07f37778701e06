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

// inspectAVIF returns the size of the largest picture that the file's meta box describes. It reads
// the boxes ftyp and meta / iprp / ipco / ispe. Encoders write meta before the data, so that a
// picture can be shown while it loads.
func inspectAVIF(h *head) (width, height int, refused *reason) {
	remaining := maxBoxes
	boxes := []box{{"", 0, headBytes}}
	for _, step := range []struct {
		name string
		skip int // bytes of the box's version and flags
	}{{"meta", 4}, {"iprp", 0}, {"ipco", 0}} {
		boxes = childBoxes(h, boxes, step.name, &remaining)
		for i := range boxes {
			boxes[i].from += step.skip
		}
	}

	for _, b := range childBoxes(h, boxes, "ispe", &remaining) {
		size, ok := h.bytesAt(b.from+4, 8)
		if !ok || b.from+12 > b.to {
			return 0, 0, damaged
		}
		w := binary.BigEndian.Uint32(size)
		hgt := binary.BigEndian.Uint32(size[4:])
		if w < 1 || hgt < 1 || w > 1<<30 || hgt > 1<<30 {
			return 0, 0, damaged
		}
		if int64(w)*int64(hgt) > int64(width)*int64(height) {
			width = int(w)
			height = int(hgt)
		}
	}

	if width == 0 {
		return 0, 0, damaged
	}
	return width, height, nil
}

// childBoxes returns all boxes with this name inside the boxes of outer. At the top
// level it returns only the first such box. It does not search further there, because the picture
// data follows.
func childBoxes(h *head, outer []box, name string, budget *int) (found []box) {
	for _, o := range outer {
		for i := o.from; i < o.to && *budget > 0; {
			*budget--
			b, ok := boxAt(h, i, o.to)
			if !ok {
				break
			}
			i = b.to
			if b.name != name {
				continue
			}
			found = append(found, b)
			if o.name == "" {
				break
			}
		}
	}
	return found
}

// boxAt reads the size and the name of the box at this offset. It returns false for a size of 64
// bits, and for a box without a size, which extends to the end of the file. Usually only the box
// with the picture data is so large. That box comes after all boxes that inspectAVIF needs.
func boxAt(h *head, i, end int) (box, bool) {
	b, ok := h.bytesAt(i, 8)
	if !ok {
		return box{}, false
	}
	size := int64(binary.BigEndian.Uint32(b))
	if size < 8 || size > int64(end-i) {
		return box{}, false
	}
	return box{name: string(b[4:8]), from: i + 8, to: i + int(size)}, true
}
