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

// hasText reports whether the first 64 KiB of an object or a file contain the parameter text. The
// second parameter is the bucket of the object, or the directory of the file.
func hasText(ctx context.Context, input any, key, text string) bool {
	var body io.ReadCloser
	var err error
	switch in := input.(type) {
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
	// Nothing was written to it.
	defer body.Close()
	start, err := io.ReadAll(io.LimitReader(body, 64<<10))
	return err == nil && bytes.Contains(start, []byte(text))
}

// openIn opens a regular file below a directory. It refuses a pipe, because opening that would block.
func openIn(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	// Nothing was written to it.
	defer root.Close()
	if info, err := root.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil, os.ErrInvalid
	}
	return root.Open(name)
}
