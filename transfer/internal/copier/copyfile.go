package copier

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/transfer/internal/ends"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

var _ Copier = (*fileCopier)(nil)

// A fileCopier transfers files from a directory to a directory.
type fileCopier struct{ src, dst *ends.Tree }

// Compare compares the times of two files of equal size, because Transfer gives the copy the time of
// the source.
func (c *fileCopier) Compare(src, dst ends.Entry) Comparison {
	if sameTime(dst.Modified, src.Modified) {
		return Same
	}
	return Differs
}

// CompareDeep is never called, because compare always decides.
func (c *fileCopier) CompareDeep(context.Context, ends.Entry, ends.Entry) (equal, listed bool, err error) {
	return false, false, nil
}

// Transfer copies a file to the same path, with its time and permissions. It fails with ErrChanged if
// the size of the file changes meanwhile.
func (c *fileCopier) Transfer(
	ctx context.Context, src ends.Entry, listed bool, _ int, moved func(done, total int64),
) (int64, error) {
	f, info, err := c.src.Open(src.Key)
	if err != nil {
		return 0, joberror.OfFile("Copy", src.Key, err)
	}
	// The file was only read, so an error does not matter.
	defer f.Close()

	content := localfile.NewStable(f, info)
	if err := content.Empty(); err != nil {
		return 0, joberror.OfFile("Copy", src.Key, err)
	}

	// Reads of body report the progress, and fail once ctx is done.
	body := &progressReader{
		src:   running.Reader(ctx, content.Reader()),
		total: content.Size(),
		moved: moved,
	}
	copyContent := func(dst *os.File) (time.Time, error) {
		n, err := io.Copy(dst, body)
		if err != nil {
			return time.Time{}, err
		}
		if n != content.Size() {
			return time.Time{}, localfile.ErrChanged
		}
		return content.Modified(), nil
	}

	permissions := ends.Permissions{Source: c.src, File: info.Mode().Perm()}
	err = c.dst.WriteFile(src.Key, listed, permissions, c.dst.SmallFileOpener(src.Key), copyContent)
	if err != nil {
		return 0, joberror.OfFile("Copy", src.Key, err)
	}
	return content.Size(), nil
}

// A progressReader reports how many bytes were read from it.
type progressReader struct {
	src         io.Reader
	done, total int64
	moved       func(done, total int64)
}

// Read reads from the file, and then reports the number of bytes so far.
func (r *progressReader) Read(p []byte) (int, error) {
	n, err := r.src.Read(p)
	r.done += int64(n)
	r.moved(r.done, r.total)
	return n, err
}
