package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/omnibucket/storage/internal/core/seam"
)

// All reads in this package call Download, so they also work with buckets of the user's own types.
// ReadAll reads one Reader to its end. NewReaderAt and ReadRanges make several requests, which must
// all read the same object. They remember the revision of the first response (pinObject). Each
// further request reads one span of that revision (open, fetch). If a request finds another
// revision, the read fails with Changed.

// A Reader is an open download. It holds a connection or buffers until Close. Close may be called
// from any goroutine, and more than once. All other methods are for one goroutine at a time.
type Reader struct {
	attrs  *Attrs
	offset int64
	length int64
	from   seam.ReadSource
	prefix string  // prefix to remove from the keys of errors
	end    [1]byte // buffer into which checkEnd tries to read a byte
}

// Read delivers the bytes as they are stored. At the end of a whole object it verifies the
// checksum, and returns ChecksumMismatch if the bytes differ from those that were stored.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	// In a view of a prefix, the error must name the key that the caller has given.
	return n, withoutPrefix(err, r.prefix)
}

// WriteTo writes the remaining bytes to w, for io.Copy. It returns an error of w unchanged. If w is
// a regular *os.File without O_APPEND, WriteTo writes ranges in parallel, each at its place in the
// file. If that fails, WriteTo returns the number of bytes before the first range that failed. The
// file's content after these bytes is undefined, and nothing more can be read.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	n, err := r.from.WriteTo(w)
	return n, withoutPrefix(err, r.prefix)
}

// Close ends the download. It always returns nil.
func (r *Reader) Close() error { return r.from.Close() }

// Attrs describes the whole object, even if the Reader delivers a range.
func (r *Reader) Attrs() *Attrs { return r.attrs }

// Range returns the range that this Reader delivers: length bytes from offset.
func (r *Reader) Range() (offset, length int64) { return r.offset, r.length }

// initReader sets the fields of a *Reader for an open download with its *Attrs. The engine calls it
// through package seam, which cannot import this package, so both have the type any.
func initReader(reader any, src seam.ReadSource, attrs any, offset, length int64) {
	r := reader.(*Reader)
	r.attrs = attrs.(*Attrs)
	r.from = src
	r.offset = offset
	r.length = length
}

// A pinnedObject is one revision of an object, for functions that read it by several requests.
type pinnedObject struct {
	from  Downloader
	key   string
	op    string // name of the operation in the errors of fetch
	attrs *Attrs
	opts  []DownloadOption // options of each request, which select the revision
}

// pinObject returns an object whose further reads all get the revision of attrs, with the native
// options of the first read. If the bucket has no revisions, a read gets the current content.
func pinObject(src Downloader, key, op string, first *DownloadOptions, attrs *Attrs) pinnedObject {
	var opts []DownloadOption
	// A version never changes, so it needs no condition.
	if first.Version != "" {
		opts = append(opts, WithVersion(first.Version))
	} else if attrs.Revision != "" {
		opts = append(opts, IfRevision(attrs.Revision))
	}
	opts = append(opts, nativeReads(first.Native, first.state.Auxiliary)...)
	return pinnedObject{
		from:  src,
		key:   key,
		op:    op,
		attrs: attrs,
		opts:  opts,
	}
}

// open requests length bytes from offset, or all bytes up to the end if length is negative. If the
// object was changed or removed since the first read, open fails with Changed.
func (o *pinnedObject) open(ctx context.Context, op string, offset, length int64) (*Reader, error) {
	opts := append(slices.Clip(o.opts), WithRange(offset, length))
	wantLength := length
	if length < 0 {
		wantLength = o.attrs.Size - offset
	} else {
		// A range with an end is read by one request.
		opts = append(opts, WithConcurrency(1))
	}

	r, err := o.from.Download(ctx, o.key, opts...)
	if err != nil {
		switch CodeOf(err) {
		case PreconditionFailed, ObjectNotFound, RangeNotSatisfiable:
			// The first read has found the object, so it was replaced or removed since.
			changed := AsError(ctx, err)
			changed.Code = Changed
			return nil, changed
		default:
			return nil, err
		}
	}

	// A store without revisions cannot check the condition, so compare the response with the first
	// read.
	if err := o.checkResponse(r, offset, wantLength); err != nil {
		_ = r.Close()
		return nil, locateError(o.from, op, o.key, &Error{Code: Changed, Err: err})
	}
	return r, nil
}

// checkResponse returns an error if the response is not the requested range of the same revision. The
// request cannot ensure that by itself: a bucket may have no revisions, or a server may ignore a condition.
func (o *pinnedObject) checkResponse(r *Reader, offset, length int64) error {
	gotOffset, gotLength := r.Range()
	if gotOffset != offset || gotLength != length {
		return fmt.Errorf("%d bytes from offset %d were asked for, and %d from %d came", length, offset, gotLength,
			gotOffset)
	}
	if attrs := r.Attrs(); attrs != nil && !attrs.Same(o.attrs) {
		return errors.New("another revision came")
	}
	return nil
}

// fetch requests length bytes from offset, and calls consume with a reader of these bytes.
func (o *pinnedObject) fetch(ctx context.Context, offset, length int64, consume func(io.Reader) error) error {
	r, err := o.open(ctx, o.op, offset, length)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := consume(r); err != nil {
		return err
	}
	return o.checkEnd(r)
}

// checkEnd fails if r has more bytes, as the function checkEnd does.
func (o *pinnedObject) checkEnd(r *Reader) error { return checkEnd(o.from, o.op, o.key, r) }

// failure returns err as an error of the operation. If ctx has ended, it uses ctx.Err() instead,
// because err may then be the cause with which a caller has canceled ctx (see [context.Cause]).
func (o *pinnedObject) failure(ctx context.Context, err error) error {
	if ctxErr := ctx.Err(); ctxErr != nil {
		return locateError(o.from, o.op, o.key, AsError(ctx, ctxErr))
	}
	if _, hasCode := findCode(err); hasCode {
		return err
	}
	return locateError(o.from, o.op, o.key, AsError(ctx, err))
}

// claimedBytes is the most memory that is allocated because of a reported size, which may be wrong. More is allocated
// only as bytes arrive.
const claimedBytes = 256 << 20

// ReadAll downloads an object, or the part that [WithRange] names, into memory.
func ReadAll(ctx context.Context, b Downloader, key string, opts ...DownloadOption) ([]byte, *Attrs, error) {
	r, err := orFailing(b).Download(ctx, key, opts...)
	if err != nil {
		return nil, nil, err
	}
	// Close of a Reader always returns nil.
	defer r.Close()

	_, length := r.Range()
	if err := checkFitsSlice(length); err != nil {
		return nil, nil, locateError(b, "ReadAll", key, err)
	}
	data, err := readWhole(b, "ReadAll", key, r, claimedBytes)
	if err != nil {
		return nil, nil, err
	}
	return data, r.Attrs(), nil
}

// readWhole reads all bytes of r into memory. It first allocates at most firstBytes, because the
// length that r reports may be wrong.
func readWhole(b Downloader, op, key string, r *Reader, firstBytes int64) ([]byte, error) {
	_, length := r.Range()
	data, err := readClaimed(r, length, firstBytes)
	if err != nil {
		return nil, err
	}
	return data, checkEnd(b, op, key, r)
}

// checkFitsSlice returns an error if no slice can have this length, as on a 32-bit system.
func checkFitsSlice(length int64) *Error {
	if length > math.MaxInt {
		return &Error{Code: Internal, Err: fmt.Errorf("%d bytes are too many for the memory of this system", length)}
	}
	return nil
}

// readClaimed reads length bytes. Because the length may be wrong, it first allocates at most
// firstBytes bytes, and doubles the memory whenever it is full.
func readClaimed(r io.Reader, length, firstBytes int64) ([]byte, error) {
	data := make([]byte, min(max(length, 0), firstBytes))
	filled := int64(0)
	for {
		if _, err := io.ReadFull(r, data[filled:]); err != nil {
			return nil, err
		}
		filled = int64(len(data))
		if filled >= length {
			return data, nil
		}

		larger := make([]byte, min(2*filled, length))
		copy(larger, data)
		data = larger
	}
}

// checkEnd fails if r has a byte after its range. Reading to the end also verifies the checksum of
// a whole object.
func checkEnd(b Downloader, op, key string, r *Reader) error {
	_, err := io.ReadFull(r, r.end[:])
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return err
	}
	return locateError(b, op, key, &Error{Code: Internal, Err: errors.New("the reader delivers more than its range")})
}
