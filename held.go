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

// hasText reports whether an object or a file has text in its first 64 KiB. place is the Downloader
// of the object, or the directory of the file. A content that cannot be read has no text.
func hasText(ctx context.Context, place any, key, text string) bool {
	const maxBytes = 64 << 10
	body, err := openContent(ctx, place, key)
	if err != nil {
		return false
	}
	// Nothing was written, so an error of Close does not matter.
	defer body.Close()

	start, err := io.ReadAll(io.LimitReader(body, maxBytes))
	return err == nil && bytes.Contains(start, []byte(text))
}

// openContent opens the object of a Downloader, or the file in a directory.
func openContent(ctx context.Context, place any, key string) (io.ReadCloser, error) {
	switch place := place.(type) {
	case serving.Directory:
		return openIn(string(place), filepath.FromSlash(key))
	case Downloader:
		return place.Download(ctx, key)
	default:
		return nil, os.ErrInvalid
	}
}

// openIn opens a regular file below a directory. It refuses anything else, because opening a pipe
// would block.
func openIn(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	// Nothing was written, so an error of Close does not matter.
	defer root.Close()

	if info, err := root.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil, os.ErrInvalid
	}
	return root.Open(name)
}
