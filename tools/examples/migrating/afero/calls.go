// Package afero contains the calls that docs/migrating/afero.md shows, so that the compiler checks
// them.
package afero

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"

	spf13 "github.com/spf13/afero"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/afero"
	"github.com/omnibucket/storage/memstore"
)

var _ = []any{adapter, oldCalls, newCalls}

func adapter(ctx context.Context, bucket storage.Bucket) spf13.Fs {
	fs := afero.New(ctx, bucket) // an afero.Fs, writable
	return fs
}

// oldCalls has the calls of the old library. It never runs: the compiler checks that they are valid.
func oldCalls(fs spf13.Fs) {
	// The compiler needs only the types of these values.
	var (
		name, dir, from, to string
		p                   []byte
		walk                filepath.WalkFunc
	)

	spf13.WriteFile(fs, name, p, 0o644)
	spf13.ReadFile(fs, name)
	fs.Open(name)
	fs.Create(name)
	fs.OpenFile(name, os.O_CREATE|os.O_EXCL, 0o644)
	fs.Stat(name)
	fs.Remove(name)
	fs.RemoveAll(dir)
	fs.Rename(from, to)
	spf13.ReadDir(fs, dir)
	spf13.Walk(fs, dir, walk)
	spf13.NewIOFS(fs)
	spf13.NewBasePathFs(fs, dir)
	spf13.NewMemMapFs()
}

// newCalls has the calls of this library that replace the old ones. It never runs, either.
func newCalls(ctx context.Context, b storage.Bucket) {
	// The compiler needs only the types of these values.
	var (
		key, dir, from, to string
		p                  []byte
		body               io.Reader
		all                func(storage.ListEntry) bool
	)

	b.Upload(ctx, key, bytes.NewReader(p))
	storage.ReadAll(ctx, b, key)
	b.Download(ctx, key)
	storage.NewReaderAt(ctx, b, key)
	storage.NewWriter(ctx, b, key)
	b.Upload(ctx, key, body, storage.IfAbsent())
	b.Attrs(ctx, key)
	b.Remove(ctx, key)
	storage.RemoveMatching(ctx, b, all, storage.WithPrefix(dir+"/"))
	storage.Copy(ctx, b, to, b, from)
	b.Remove(ctx, from)
	b.List(ctx, storage.WithPrefix(dir+"/"), storage.WithDelimiter("/"))
	b.List(ctx, storage.WithPrefix(dir+"/"))
	storage.FS(ctx, b)
	storage.Prefixed(b, dir+"/")
	memstore.New()
}
