package transfer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"github.com/omnibucket/storage/internal/tempfile"
)

// An overflowFile keeps any number of keys and sizes in a temporary file. Files to
// remove are known long before they may be removed.
type overflowFile struct {
	file  *os.File // nil: nothing was added
	to    *bufio.Writer
	count int64
}

func (s *overflowFile) add(key string, size int64) error {
	if s.file == nil {
		f, err := tempfile.Create("omnibucket-delete-*")
		if err != nil {
			return tempError("", "", err)
		}
		s.file, s.to = f, bufio.NewWriter(f)
	}
	record := binary.AppendUvarint(nil, uint64(size))
	record = binary.AppendUvarint(record, uint64(len(key)))
	s.count++
	if _, err := s.to.Write(append(record, key...)); err != nil {
		return fileError("", "", err)
	}
	return nil
}

// each yields the keys and sizes in the order in which they were added.
func (s *overflowFile) each(yield func(key string, size int64) bool) error {
	if err := s.to.Flush(); err != nil {
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	from := bufio.NewReader(s.file)
	for {
		size, err := binary.ReadUvarint(from)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		length, err := binary.ReadUvarint(from)
		if err != nil {
			return err
		}
		key := make([]byte, length)
		if _, err := io.ReadFull(from, key); err != nil {
			return err
		}
		if !yield(string(key), int64(size)) {
			return nil
		}
	}
}

func (s *overflowFile) close() {
	if s.file != nil {
		_ = tempfile.Close(s.file)
	}
}
