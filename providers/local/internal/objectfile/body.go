package objectfile

import (
	"io"
	"os"

	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A body is a range of an open file. It is an io.ReaderAt, whose offsets count from the start of
// the range, and an io.WriterTo. If the writer is a socket, the kernel copies the bytes.
type body struct {
	*io.SectionReader
	file *os.File
}

// NewBody returns a body with a range of f. start and end are the offsets of the
// range's start and end. Closing the body closes f. Errors of the body contain key in place of the
// file's name.
func NewBody(f *osdir.File, key string, start, end int64) io.ReadCloser {
	file := f.OSFile(key)
	return &body{io.NewSectionReader(file, start, end-start), file}
}

// Close closes the file.
func (b *body) Close() error { return b.file.Close() }

// WriteTo writes the rest of the body to w. If possible, the kernel copies the bytes.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	file, start, length := b.Outer()
	offset, err := b.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}

	// Copy from the file itself, because the kernel cannot copy from a section of it.
	if _, err := file.(*os.File).Seek(start+offset, io.SeekStart); err != nil {
		return 0, err
	}

	buffer := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buffer)
	n, err := io.CopyBuffer(w, &io.LimitedReader{R: b.file, N: length - offset}, *buffer)

	// The body continues after the bytes that were written.
	_, seekErr := b.Seek(offset+n, io.SeekStart)
	if err == nil {
		err = seekErr
	}
	return n, err
}
