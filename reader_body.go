package storage

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/internal/core/buffer"
)

// NewReader makes a Reader, for a [Core] or [Downloader] of your own. The Reader closes body, which
// must deliver length bytes of the object, from offset on. A nil body is empty. If body delivers
// fewer bytes, reading fails with Unavailable (also io.ErrUnexpectedEOF), and if it delivers more,
// with Internal.
func NewReader(attrs *Attrs, offset, length int64, body io.ReadCloser) *Reader {
	if body == nil {
		body = io.NopCloser(strings.NewReader(""))
	}
	key := ""
	if attrs != nil {
		key = attrs.Key
	}
	return &Reader{
		attrs:  attrs,
		offset: offset,
		length: length,
		from:   &givenBody{body: body, key: key, length: length},
	}
}

// A givenBody is a body that was passed to NewReader.
type givenBody struct {
	body   io.ReadCloser
	close  sync.Once
	key    string
	length int64
	read   int64
	failed error   // error that every later Read returns
	end    [1]byte // buffer into which readEnd tries to read a byte
}

// Read reads from the body, and fails if it has fewer or more than b.length bytes. After a failure
// or the end, every Read returns the same error.
func (b *givenBody) Read(p []byte) (int, error) {
	if b.failed != nil {
		return 0, b.failed
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.read >= b.length {
		// The body must end here.
		b.failed = b.readEnd()
		return 0, b.failed
	}

	rest := b.length - b.read
	n, err := buffer.ReadSome(b.body, p[:min(int64(len(p)), rest)])
	b.read += int64(n)
	isShort := b.read < b.length
	if err == io.EOF && isShort {
		err = b.fail(Unavailable,
			fmt.Errorf("the body has %d of its %d bytes: %w", b.read, b.length, io.ErrUnexpectedEOF))
	}
	b.failed = err
	return n, err
}

// readEnd returns io.EOF if the body has no byte after the b.length bytes that were read, and
// otherwise an error.
func (b *givenBody) readEnd() error {
	n, err := buffer.ReadSome(b.body, b.end[:])
	if n > 0 {
		return b.fail(Internal, fmt.Errorf("the body has more than its %d bytes", b.length))
	}
	return err
}

func (b *givenBody) fail(code Code, err error) *Error {
	return &Error{Code: code, Op: "Download", Key: b.key, Retryable: code == Unavailable, Err: err}
}

func (b *givenBody) WriteTo(w io.Writer) (int64, error) { return bodyio.Copy(w, b) }

// Close closes the body, but only on the first call.
func (b *givenBody) Close() (err error) {
	b.close.Do(func() {
		err = b.body.Close()
	})
	return err
}
