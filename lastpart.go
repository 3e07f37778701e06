package storage

import "io"

// A heldPart is the last part of an upload whose parts go one after the other:
// the request that sends it ends the object, so it waits for CompleteParts.
type heldPart struct {
	number  int
	section *io.SectionReader
	crc     *uint32
	done    func()
	content *sectionBody
}

// holds reports whether the last part is not sent like the others.
func (p *partUpload) holds() bool { return p.core.has(SequentialParts) }

func (p *partUpload) hold(number int, section *io.SectionReader, crc *uint32, done func()) {
	p.last = &heldPart{number: number, section: section, crc: crc, done: done}
}

// ending is the request for the part that was held; nil where none was.
func (p *partUpload) ending() (*PartRequest, *Error) {
	if p.last == nil {
		return nil, nil
	}
	r, content, e := p.request(p.last.number, p.offset, p.last.section, p.last.crc)
	p.last.content = content
	return r, e
}

// body is what completing reads; nothing where no part was held.
func (h *heldPart) body() replayable {
	if h == nil {
		return nil
	}
	return h.content
}

// free gives the part's memory back.
func (h *heldPart) free() {
	if h != nil {
		h.done()
	}
}

// joined is the size in bytes and the CRC32C of the object that r makes.
func joined(r *CompleteRequest) (size int64, crc uint32) {
	for _, part := range r.Parts {
		crc = joinCRC(crc, *part.CRC32C, part.Size)
		size += part.Size
	}
	if last := r.Last; last != nil {
		crc = joinCRC(crc, *last.CRC32C, last.Size)
		size += last.Size
	}
	return size, crc
}
