package transfer

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/localfile"
)

var _ transferrer = (*fileCopier)(nil)

// A fileCopier transfers files from a directory to a directory.
type fileCopier struct{ from, to *tree }

func (r *fileCopier) compare(src, dst entry) comparison {
	if sameTime(dst.modified, src.modified) {
		return same
	}
	return differs
}

// compareDeep is never called, because compare always decides.
func (r *fileCopier) compareDeep(context.Context, entry, entry) (equal, listed bool, err error) {
	return false, false, nil
}

func (r *fileCopier) transfer(
	ctx context.Context, src entry, listed bool, _ int, moved func(done, total int64),
) (int64, error) {
	f, info, err := r.from.open(src.key)
	if err != nil {
		return 0, fileError("Copy", src.key, err)
	}
	defer f.Close() // the file was only read, so an error does not matter
	content := localfile.NewStable(f, info)
	err = content.Empty()
	if err == nil {
		err = r.to.writeFile(src.key, listed, permissions{source: r.from, file: info.Mode().Perm()}, r.to.small(src.key),
			func(dst *os.File) (time.Time, error) {
				n, err := io.Copy(dst, &progressReader{
					from:  ctxtime.Reader(ctx, content.Reader()),
					total: content.Size(),
					moved: moved,
				})
				if err == nil && n != content.Size() {
					err = localfile.ErrChanged
				}
				return content.Modified(), err
			})
	}
	if err != nil {
		return 0, fileError("Copy", src.key, err)
	}
	return content.Size(), nil
}

// A progressReader reports how many bytes were read from it.
type progressReader struct {
	from        io.Reader
	done, total int64
	moved       func(done, total int64)
}

func (c *progressReader) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.done += int64(n)
	c.moved(c.done, c.total)
	return n, err
}
