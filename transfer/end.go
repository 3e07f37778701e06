package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/serving"
)

// An End is a directory or bucket that [Sync] reads from or writes to.
type End struct {
	kind endKind
	path string
	src  Source
	dst  storage.ReadWriter
}

// An endKind says whether an End is a directory or a bucket.
type endKind int

const (
	noEnd endKind = iota
	dirEnd
	bucketEnd
)

// Dir returns a directory of this machine as an end. A source must exist; a
// destination is created if necessary.
func Dir(path string) End { return End{kind: dirEnd, path: path} }

// Bucket returns a bucket as a source or destination of [Sync]. To use only the keys with a prefix,
// pass a [storage.Prefixed] bucket.
func Bucket(b storage.ReadWriter) End { return End{kind: bucketEnd, src: b, dst: b} }

// location returns the directory or bucket of e in the form that serving.Below needs.
func (e End) location() any {
	if e.kind == dirEnd {
		return serving.Directory(e.path)
	}
	return e.src
}

// mayRead reports whether e is a directory, or a bucket that is not nil.
func (e End) mayRead() bool {
	switch e.kind {
	case dirEnd:
		return true
	case bucketEnd:
		return e.src != nil
	}
	return false
}

// mayWrite reports whether e is a directory, or a bucket that is not nil and can be written.
func (e End) mayWrite() bool {
	switch e.kind {
	case dirEnd:
		return true
	case bucketEnd:
		return e.dst != nil
	}
	return false
}

// name returns a name of the directory or bucket that is the same in every process on this machine, or ""
// if there is none.
func (e End) name() string {
	if e.kind == bucketEnd {
		return serving.PlaceID(e.src)
	}

	path, err := filepath.Abs(e.path)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:8])
}
