package uploads_test

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
)

func readerOf(text string) io.Reader { return strings.NewReader(text) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

var errCut = errors.New("the connection is cut")

// A cutBody breaks after its data.
type cutBody struct{ data []byte }

// Read fails with errCut after the last byte.
func (b *cutBody) Read(p []byte) (int, error) {
	if len(b.data) == 0 {
		return 0, errCut
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

// A stuckBody sends nothing after its data until it is ended.
type stuckBody struct {
	data []byte
	sent chan struct{} // closed when all data was read
	over chan struct{}
	once sync.Once
}

func newStuckBody(data []byte) *stuckBody {
	return &stuckBody{data: data, sent: make(chan struct{}), over: make(chan struct{})}
}

// Read closes b.sent after the last byte, and then waits until the body has ended.
func (b *stuckBody) Read(p []byte) (int, error) {
	if len(b.data) == 0 {
		b.once.Do(func() {
			close(b.sent)
		})
		<-b.over
		return 0, errCut
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

func (b *stuckBody) end() { close(b.over) }
