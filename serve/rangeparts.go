package serve

import (
	"io"
	"mime/multipart"
	"net/textproto"
)

// A parts is the body of a response with several ranges (multipart/byteranges).
type parts struct {
	ranges      []byteRange
	contentType string // content type of each part
	size        int64  // size of the object in bytes
}

// writeTo writes the headers of each part in the order of the request, and calls writePart to write its
// bytes.
func (p parts) writeTo(mw *multipart.Writer, writePart func(w io.Writer, r byteRange) error) error {
	for _, r := range p.ranges {
		part, err := mw.CreatePart(textproto.MIMEHeader{
			"Content-Range": {r.contentRange(p.size)},
			"Content-Type":  {p.contentType},
		})
		if err != nil {
			return err
		}
		if err := writePart(part, r); err != nil {
			return err
		}
	}
	return mw.Close()
}

// length returns how many bytes writeTo writes. It is the same for all boundaries, because they are
// equally long.
func (p parts) length() int64 {
	var count counter
	// Count the headers, but only add the length of each range. A counter never fails.
	_ = p.writeTo(multipart.NewWriter(&count), func(_ io.Writer, r byteRange) error {
		count += counter(r.length)
		return nil
	})
	return int64(count)
}

// A counter counts the bytes that are written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
