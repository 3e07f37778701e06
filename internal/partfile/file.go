package partfile

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/localfile"
)

const (
	// Least is the size in bytes of the smallest object that is worth continuing.
	Least = 16 << 20
	// unrecordedBytes is how many bytes are written to a File before it records them in its mark. For
	// a large file, the number is about a thousandth of its size. A mark is a small file next to
	// the temporary file (see the package comment).
	unrecordedBytes = 4 << 20
)

// A File is the temporary file of one download. It records in its mark which bytes were written, so
// that a later call can continue the download. WriteAt may be called concurrently, but Write and
// Seek may not.
type File struct {
	mark     *mark
	file     *os.File // nil if the file could not be opened
	path     string
	position int64 // offset of the next Write
	recorded bool

	mu         sync.Mutex
	active     map[int64]span // spans that were not recorded on the disk yet; the keys are the ends of the spans
	unrecorded int64          // bytes in the active spans
	done       []span         // spans that were recorded on the disk
	failed     bool           // true if the mark could not be written; later spans are not recorded
}

// A span is a range of the file that was written, from offset to end, with the checksum of its
// bytes.
type span struct {
	offset, end int64
	crc         uint32
}

// A spanLine is the JSON form of a span. A mark is the file that records which bytes of a temporary
// file were written. Its first line is a header, and each later line is a spanLine.
type spanLine struct {
	Offset, Length int64
	CRC32C         uint32
}

// Find returns the File that a dead process has left for target, or nil. source identifies the
// bucket and key of the download. If the File is for another source, or holds no valid bytes, Find
// removes it and its mark, and returns nil.
func Find(dir Dir, target, source string) *File {
	path := filepath.Join(filepath.Dir(target), nameFor(target))
	m, err := openDead(dir, path)
	if err != nil {
		return nil
	}

	f := &File{
		mark:     m,
		path:     m.filePath(),
		recorded: true,
		active:   map[int64]span{},
	}
	if !m.isFor(target, source) || !f.reopen(dir) {
		f.Remove()
		return nil
	}
	return f
}

// isFor reports whether the mark is of a download of source to target that can be continued.
func (m *mark) isFor(target, source string) bool {
	if source == "" || m.header.Source != source {
		return false
	}
	return m.header.Target == filepath.Base(target) && m.header.Revision != ""
}

// reopen opens the temporary file and verifies its bytes. It returns false if no byte is valid.
func (f *File) reopen(dir Dir) bool {
	file, err := openOwn(dir, f.path)
	if err != nil {
		return false
	}
	f.file = file
	return f.verify()
}

// verify keeps only the spans whose checksums match the bytes in the file, and returns false if
// none is left.
func (f *File) verify() bool {
	spans := f.mark.spans
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.offset, b.offset) })
	end := int64(0) // of the last span that is kept
	for _, s := range spans {
		overlaps := s.offset < end
		isEmpty := s.end <= s.offset
		isBeyond := s.end > f.mark.header.Size
		if overlaps || isEmpty || isBeyond {
			continue
		}
		if f.hasBytes(s) {
			f.done = append(f.done, s)
			end = s.end
		}
	}
	return len(f.done) > 0
}

// hasBytes reports whether the file has all bytes of the span, with the checksum of the span.
func (f *File) hasBytes(s span) bool {
	length := s.end - s.offset
	sum := crc32c.New()
	n, err := bodyio.Copy(sum, io.NewSectionReader(f.file, s.offset, length))
	return err == nil && n == length && sum.Sum32() == s.crc
}

// Create creates a File for target with the name by which [Find] finds it after a crash.
//
// If the name is taken, as by another process that writes the same target, the File has a random
// name, which Find does not find.
func Create(dir Dir, target string, mode os.FileMode) (*File, error) {
	f, err := create(dir, target, nameFor(target), mode)
	if errors.Is(err, os.ErrExist) || errors.Is(err, errForeign) {
		f, err = create(dir, target, localfile.TempName(), mode)
	}
	return f, err
}

// Replace is like [Create], but first removes the files that a dead process has left for target.
func Replace(dir Dir, target string, mode os.FileMode) (*File, error) {
	_ = Find(dir, target, "")
	return Create(dir, target, mode)
}

// create creates a File for target, and its mark, the small file that describes it. name is the name
// of the mark.
func create(dir Dir, target, name string, mode os.FileMode) (*File, error) {
	markPath := filepath.Join(filepath.Dir(target), name)
	m, err := createMark(dir, markPath, header{Target: filepath.Base(target)})
	if err != nil {
		return nil, err
	}

	path := m.filePath()
	file, err := dir.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, mode)
	if err != nil {
		m.remove()
		return nil, err
	}
	return &File{
		mark: m,
		file: file,
		path: path,
	}, nil
}

// Record begins to record which bytes of an object are written to the File, so that a later call
// can continue the download. If sync is true, the file that holds the record survives a power
// failure.
func (f *File) Record(obj Object, sync bool) error {
	f.recorded = true
	f.active = map[int64]span{}
	if err := f.mark.restart(header{Target: f.mark.header.Target, Object: obj}); err != nil {
		return err
	}
	if sync {
		return f.mark.file.Sync()
	}
	return nil
}

// Object returns the object that the file holds a part of.
func (f *File) Object() Object { return f.mark.header.Object }

// Path returns the path of the temporary file.
func (f *File) Path() string { return f.path }

// OS returns the operating system's file. Bytes that the caller writes to it are not recorded.
func (f *File) OS() *os.File { return f.file }

// Unrecorded ends the recording. It returns the operating system's file, positioned where the next
// Write would have written.
func (f *File) Unrecorded() (*os.File, error) {
	f.recorded = false
	_, err := f.file.Seek(f.position, io.SeekStart)
	return f.file, err
}

// Write writes p at the current position, and advances the position.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.WriteAt(p, f.position)
	f.position += int64(n)
	return n, err
}

// Seek sets the position of the next Write. It does not support [io.SeekEnd].
func (f *File) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekCurrent {
		offset += f.position
	}
	f.position = offset
	return offset, nil
}

// WriteAt writes p at offset, and records the span that was written.
func (f *File) WriteAt(p []byte, offset int64) (int, error) {
	n, err := f.file.WriteAt(p, offset)
	if !f.recorded || n == 0 {
		return n, err
	}

	// Take the span that ends at offset out of f.active, if there is one, so that no other call records it
	// meanwhile. The keys of f.active are the ends of the spans.
	f.mu.Lock()
	written, continues := f.active[offset]
	delete(f.active, offset)
	f.mu.Unlock()
	if !continues {
		written = span{offset: offset, end: offset}
	}

	// Extend the span without the lock, because the checksum takes time.
	written.crc = crc32c.Update(written.crc, p[:n])
	written.end += int64(n)

	f.mu.Lock()
	defer f.mu.Unlock()
	f.active[written.end] = written
	f.unrecorded += int64(n)

	// A large file is recorded at most this many times.
	const maxRecords = 1024
	if f.unrecorded >= max(unrecordedBytes, f.mark.header.Size/maxRecords) {
		f.recordActive()
	}
	return n, err
}

// recordActive writes the active spans to f.mark, and moves them to f.done. The caller must hold
// f.mu.
func (f *File) recordActive() {
	lines := make([]any, 0, len(f.active))
	for _, s := range f.active {
		f.done = append(f.done, s)
		lines = append(lines, spanLine{Offset: s.offset, Length: s.end - s.offset, CRC32C: s.crc})
	}
	clear(f.active)
	f.unrecorded = 0

	// A failed write may leave an incomplete line, at which a reader would stop, so nothing is written after
	// one.
	if f.failed {
		return
	}
	if err := f.mark.write(lines...); err != nil {
		f.failed = true
	}
}

// flush records all active spans in the mark, and sorts f.done by offset.
func (f *File) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.active) > 0 {
		f.recordActive()
	}
	slices.SortFunc(f.done, func(a, b span) int { return cmp.Compare(a.offset, b.offset) })
}

// A Range is a range of the bytes of an object.
type Range struct{ Offset, Length int64 }

// Missing returns the ranges that the file lacks. If it lacks none, Missing returns the last recorded
// range, which the caller requests again to learn whether the object is still the same.
func (f *File) Missing() []Range {
	f.flush()
	missing := f.gaps()
	if len(missing) > 0 || len(f.done) == 0 {
		return missing
	}

	// The last span is written again, so it no longer counts as done.
	last := f.done[len(f.done)-1]
	f.done = f.done[:len(f.done)-1]
	return []Range{{Offset: last.offset, Length: f.mark.header.Size - last.offset}}
}

// gaps returns the ranges of the object that are not in f.done, which must be sorted.
func (f *File) gaps() (missing []Range) {
	end := int64(0) // of the spans so far
	for _, s := range f.done {
		if s.offset > end {
			missing = append(missing, Range{Offset: end, Length: s.offset - end})
		}
		end = s.end
	}
	size := f.mark.header.Size
	if end < size {
		missing = append(missing, Range{Offset: end, Length: size - end})
	}
	return missing
}

// Has returns how many bytes of the object the file already has.
func (f *File) Has() (bytes int64) {
	for _, s := range f.done {
		bytes += s.end - s.offset
	}
	return bytes
}

// A Reader reads a range of an object.
type Reader interface {
	io.WriterTo
	io.Closer
}

// Fill writes the missing ranges to the file. open returns a Reader of one range of the object.
func (f *File) Fill(open func(offset, length int64) (Reader, error)) error {
	for _, missing := range f.Missing() {
		r, err := open(missing.Offset, missing.Length)
		if err != nil {
			return err
		}

		f.position = missing.Offset
		_, err = r.WriteTo(f)
		// An error of Close does not matter, because the bytes were read.
		_ = r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

var (
	errIncomplete = errors.New("not all bytes of the object were written")
	// ErrMismatch is the error if the checksum of the file is not that of the object.
	ErrMismatch = errors.New("the file has another checksum than the object")
)

// Check fails if the file lacks bytes of the object, or if its checksum is not that of the object.
func (f *File) Check() error {
	f.flush()

	// The spans must follow each other without a gap, from 0 to the size of the object.
	end := int64(0)
	sum := uint32(0)
	for _, s := range f.done {
		hasGap := s.offset != end
		if hasGap {
			return errIncomplete
		}
		end = s.end
		sum = crc32c.Join(sum, s.crc, s.end-s.offset)
	}

	want := f.Object()
	if end != want.Size {
		return errIncomplete
	}
	if want.CRC32C != nil && *want.CRC32C != sum {
		return ErrMismatch
	}
	return nil
}

// Renamed closes the file and removes its mark. The caller has renamed the file to its final name.
func (f *File) Renamed() {
	_ = f.file.Close()
	f.mark.remove()
}

// Keep closes the file, and leaves it on the disk so that a later call can continue it.
func (f *File) Keep() {
	f.flush()
	_ = f.file.Close()
	f.mark.close()
}

// Remove closes and removes the file and its mark.
func (f *File) Remove() {
	if f.file != nil {
		_ = f.file.Close()
	}
	f.mark.removeWithFile()
}
