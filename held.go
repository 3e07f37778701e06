package storage

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/omnibucket/storage/internal/serving"
)

func init() { serving.Has = hasText }

// hasText reports whether an object of a bucket, or a file of a directory, has a text in its first 64 KiB.
func hasText(ctx context.Context, in any, key, text string) bool {
	var body io.ReadCloser
	var err error
	switch in := in.(type) {
	case serving.Directory:
		body, err = openIn(string(in), filepath.FromSlash(key))
	case Downloader:
		body, err = in.Download(ctx, key)
	default:
		return false
	}
	if err != nil {
		return false
	}
	defer func() { _ = body.Close() }() // it was only read
	start, err := io.ReadAll(io.LimitReader(body, 64<<10))
	return err == nil && bytes.Contains(start, []byte(text))
}

// openIn opens a regular file below a directory: opening a pipe would wait.
func openIn(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // it was only read
	if info, err := root.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil, os.ErrInvalid
	}
	return root.Open(name)
}
