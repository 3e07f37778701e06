package serve

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/omnibucket/storage"
)

// A source reads one revision of an object, and has at most one body open. The first response of
// the store determines the revision. If a later response has another revision, the source fails
// with Changed.
type source struct {
	// ctx is the context of the HTTP request. A source is used only during that request.
	ctx    context.Context
	bucket storage.Downloader
	key    string
	opts   []storage.DownloadOption
	attrs  *storage.Attrs

	reader   *storage.Reader // nil if no body is open
	pos, end int64           // offsets of the bytes that reader has not returned yet
	spans    []readSpan      // spans with ranges that are not copied yet
}

// openSource opens a source with a request for the range first, and usually needs no other. If that
// range begins after the end of the object, it requests only the attributes.
func openSource(
	ctx context.Context, src storage.Downloader, key string, opts []storage.DownloadOption,
	first storage.DownloadOption,
) (*source, error) {
	s := &source{ctx: ctx, bucket: src, key: key, opts: opts}
	err := s.download(first)
	if storage.CodeOf(err) == storage.RangeNotSatisfiable {
		err = s.download(attributesOnly)
	}
	if err != nil {
		return nil, err
	}

	s.attrs = s.reader.Attrs()
	return s, nil
}

// download opens a reader with the options of the source and the further opts, and keeps it with the
// range of bytes that it covers.
func (s *source) download(opts ...storage.DownloadOption) error {
	opts = append(slices.Clone(s.opts), opts...)
	reader, err := s.bucket.Download(s.ctx, s.key, opts...)
	if err != nil {
		return err
	}

	offset, length := reader.Range()
	s.reader = reader
	s.pos = offset
	s.end = offset + length
	return nil
}

// plan sets the ranges to copy. The caller then calls copy once for each range, in the order of the
// parameter ranges.
func (s *source) plan(ranges []byteRange) { s.spans = mergeRanges(ranges) }

// seek ensures that the open reader covers r, the next of the planned ranges. If it does not, seek
// opens another one, for r and the later ranges that the same request can read.
func (s *source) seek(r byteRange) error {
	if s.covers(r) {
		return nil
	}

	s.close()
	span := s.spans[0].byteRange // contains r
	restOfSpan := byteRange{start: r.start, length: span.end() - r.start}
	opts := []storage.DownloadOption{restOfSpan.option()}
	// Another revision at the key must not be read, unless the options name a version.
	if s.attrs.Revision != "" && !s.isPinned() {
		opts = append(opts, storage.IfRevision(s.attrs.Revision))
	}

	err := s.download(opts...)
	switch storage.CodeOf(err) {
	case storage.PreconditionFailed, storage.ObjectNotFound, storage.RangeNotSatisfiable:
		return s.changedError(err)
	}
	if err != nil {
		return err
	}
	return s.checkUnchanged()
}

// covers reports whether the open reader will return all bytes of r, with at most a small gap before
// them.
func (s *source) covers(r byteRange) bool {
	if s.reader == nil || r.start < s.pos || r.end() > s.end {
		return false
	}
	return r.start-s.pos <= maxGap
}

// isPinned reports whether the download options name a version, which cannot change.
func (s *source) isPinned() bool {
	var o storage.DownloadOptions
	// Invalid options have already failed in an earlier call.
	_ = o.Apply(s.opts...)
	return o.Version != ""
}

// checkUnchanged fails with Changed if the attributes differ from those of the first response, for
// stores that cannot check the revision themselves.
func (s *source) checkUnchanged() error {
	current := s.reader.Attrs()
	if current.Revision != s.attrs.Revision || current.ETag != s.attrs.ETag || current.Size != s.attrs.Size {
		return s.changedError(nil)
	}
	return nil
}

// changedError returns a Changed error with a cause, which may be nil.
func (s *source) changedError(err error) error {
	return &storage.Error{Code: storage.Changed, Op: "Download", Key: s.key, Err: err}
}

// copy writes r, the next of the planned ranges, to w. It closes the reader after the last range of
// a span.
func (s *source) copy(w io.Writer, r byteRange) error {
	if err := s.seek(r); err != nil {
		return err
	}
	if err := s.copyFromReader(w, r); err != nil {
		return err
	}

	// A span is read with one reader, and counts the ranges that are left in it.
	s.spans[0].ranges--
	if s.spans[0].ranges == 0 {
		s.spans = s.spans[1:]
		s.close()
	}
	return nil
}

// copyFromReader writes the range r from the open reader to w, and skips the bytes before it.
func (s *source) copyFromReader(w io.Writer, r byteRange) error {
	if s.pos == r.start && s.end == r.end() {
		return s.copyAll(w)
	}

	if _, err := io.CopyN(io.Discard, s.reader, r.start-s.pos); err != nil {
		return err
	}
	_, err := io.CopyN(w, s.reader, r.length)
	s.pos = r.end()
	return err
}

// sentWithHeader is the largest number of bytes that are written together with the header. More
// bytes are copied by the kernel, after the header.
const sentWithHeader = 32 << 10

// copyAll copies the rest of the open body to w. If the body has a checksum, the last byte is held
// back until the checksum matches, so that no client takes a damaged response for a complete one.
func (s *source) copyAll(w io.Writer) error {
	length := s.end - s.pos
	s.pos = s.end

	// The checksum is that of the whole object, so it says nothing about a part.
	isWhole := length == s.attrs.Size
	hasChecksum := isWhole && s.attrs.CRC32C.Known
	if hasChecksum {
		lastByte := &lastByteWriter{dst: w, remaining: length}
		if err := s.writeRest(lastByte, length); err != nil {
			return err
		}
		return lastByte.release()
	}

	if length <= sentWithHeader {
		return s.writeRest(writerOnly{w}, length)
	}
	return s.writeRest(w, length)
}

// A writerOnly hides the method ReadFrom of a response, so that net/http writes the bytes together with the header.
type writerOnly struct{ io.Writer }

// writeRest copies the rest of the open body to w, and fails if it has fewer than length bytes.
func (s *source) writeRest(w io.Writer, length int64) error {
	written, err := s.reader.WriteTo(w)
	if err != nil {
		return err
	}
	if written < length {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// close closes the open reader, if there is one.
func (s *source) close() {
	if s.reader != nil {
		// Close of a Reader always returns nil.
		_ = s.reader.Close()
		s.reader = nil
	}
}

// A lastByteWriter writes all bytes but the last to dst, and the last byte in release.
type lastByteWriter struct {
	dst       io.Writer
	remaining int64  // bytes that are still expected
	lastByte  []byte // nil before the last byte has come
}

var errTooMuch = errors.New("the reader returns more bytes than announced")

// Write writes p to dst. If p ends with the last of all expected bytes, Write keeps that byte for release. It fails if
// p has more bytes than are expected.
func (t *lastByteWriter) Write(p []byte) (int, error) {
	size := int64(len(p))
	if size > t.remaining {
		return 0, errTooMuch
	}
	if size == 0 || size < t.remaining {
		t.remaining -= size
		return t.dst.Write(p)
	}

	// p ends with the last byte.
	t.lastByte = []byte{p[size-1]}
	t.remaining = 0
	if size == 1 {
		return 1, nil
	}
	n, err := t.dst.Write(p[:size-1])
	if err != nil {
		return n, err
	}
	return n + 1, nil
}

// release writes the byte that was held back, if it has come.
func (t *lastByteWriter) release() error {
	if t.lastByte == nil {
		return nil
	}
	_, err := t.dst.Write(t.lastByte)
	return err
}
