package nulls3

import (
	"io"
	"regexp"
	"slices"
)

// A trailed is the body of an upload with a checksum in a trailer after the content. The response
// repeats the checksum.
type trailed struct {
	io.ReadCloser
	end []byte // the last 64 bytes that were read
}

const trailerBytes = 64

func (t *trailed) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.end = append(t.end, p[max(0, n-trailerBytes):n]...)
	if excess := len(t.end) - trailerBytes; excess > 0 {
		t.end = slices.Delete(t.end, 0, excess)
	}
	return n, err
}

var trailer = regexp.MustCompile(`x-amz-checksum-crc32c:([^\r]*)\r\n\r\n$`)

// checksum returns the CRC32C in the trailer, or "".
func (t *trailed) checksum() string {
	if match := trailer.FindSubmatch(t.end); match != nil {
		return string(match[1])
	}
	return ""
}
