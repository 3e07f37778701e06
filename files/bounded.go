package files

import (
	"bytes"
	"io"
	"strings"
)

// bounded returns a reader of body that fails after Config.MaxSize bytes.
func (s *Store) bounded(body io.Reader) io.Reader {
	if s.config.MaxSize == 0 {
		return body
	}
	return bound(body, s.config.MaxSize)
}

// bound returns a reader of body that fails after limit bytes. A body that is in
// memory and small enough is returned unchanged.
func bound(body io.Reader, limit int64) io.Reader {
	if left, known := lengthOf(body); known && left <= limit {
		return body
	}
	return &boundedBody{body: body, left: limit, limit: limit}
}

// lengthOf knows the length of readers in memory. It does not look into a type that
// wraps one, which may read something else.
func lengthOf(body io.Reader) (left int64, known bool) {
	switch b := body.(type) {
	case *bytes.Reader:
		return int64(b.Len()), true
	case *strings.Reader:
		return int64(b.Len()), true
	case *bytes.Buffer:
		return int64(b.Len()), true
	}
	return 0, false
}

type boundedBody struct {
	body        io.Reader
	left, limit int64
}

// Read reads one byte more than is allowed, to know whether there is one.
func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p))-1 > b.left {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, tooLargeError(b.limit)
	}
	return n, err
}
