package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/omnibucket/storage/internal/seam"
)

// A Bucket reads bytes only by Download, and so does everything in this package: also of buckets that
// are types of the user's own. ReadAll reads one Reader to its end. NewReaderAt and ReadRanges make
// several requests, and so need that these find the same object: they pin the revision of the first
// response (pinObject). Each further request reads a span of it, and each response is compared with the
// first one (open). ReadAt puts the spans into the blocks of a cache, and ReadRanges puts them into its
// results, both by fetch. A read that has found another revision fails with Changed.

// A Reader is an open download, which holds a connection or buffers until Close. Only Close
// may be called from any goroutine, and more than once.
type Reader struct {
	attrs  *Attrs
	offset int64
	length int64
	from   seam.ReadSource
	prefix string  // what is removed from the keys of errors
	end    [1]byte // the byte that checkEnd tries to read
}

// Read delivers the stored bytes; see [Downloader]. At the end of a whole object it returns
// io.EOF, or ChecksumMismatch if that is not what was stored.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, withoutPrefix(err, r.prefix)
}

// WriteTo writes the rest to w; io.Copy uses it. It returns an error of w as it is. Into a
// regular *os.File without O_APPEND it writes parallel ranges in place. If that fails, it
// returns how many bytes precede them, the file's content after these is undefined, and
// nothing more can be read.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	n, err := r.from.WriteTo(w)
	return n, withoutPrefix(err, r.prefix)
}

// Close ends the download. It always returns nil.
func (r *Reader) Close() error { return r.from.Close() }

// Attrs describes the whole object, also if a range is read.
func (r *Reader) Attrs() *Attrs { return r.attrs }

// Range returns what this Reader delivers: length bytes from offset.
func (r *Reader) Range() (offset, length int64) { return r.offset, r.length }

// initReader makes reader, a *Reader, that of an open download. attrs is an *Attrs.
func initReader(reader any, from seam.ReadSource, attrs any, offset, length int64) {
	r := reader.(*Reader)
	r.attrs, r.from, r.offset, r.length = attrs.(*Attrs), from, offset, length
}

// A pinnedObject is one revision of an object, for functions that read it by several requests.
type pinnedObject struct {
	from  Downloader
	key   string
	op    string // what errors of fetch name as their operation
	attrs *Attrs
	reads []DownloadOption // the options of each request, which select the revision
}

// pinObject pins the revision of attrs, which a read with the options in r has returned. If the
// bucket has no revisions, nothing is pinned.
func pinObject(from Downloader, key, op string, r *DownloadOptions, attrs *Attrs) pinnedObject {
	o := pinnedObject{from: from, key: key, op: op, attrs: attrs}
	switch {
	case r.Version != "":
		o.reads = append(o.reads, WithVersion(r.Version))
	case attrs.Revision != "":
		o.reads = append(o.reads, IfRevision(attrs.Revision))
	}
	o.reads = append(o.reads, nativeReads(r.Native, r.Auxiliary)...)
	return o
}

// open reads length bytes from an offset by one request, or all that follow if length is
// below 0. If the object was changed or removed, it fails with Changed.
func (o *pinnedObject) open(ctx context.Context, op string, offset, length int64) (*Reader, error) {
	opts := append(o.reads[:len(o.reads):len(o.reads)], WithRange(offset, length))
	if length >= 0 {
		opts = append(opts, WithConcurrency(1))
	} else {
		length = o.attrs.Size - offset
	}
	r, err := o.from.Download(ctx, o.key, opts...)
	switch CodeOf(err) {
	case PreconditionFailed, ObjectNotFound, RangeNotSatisfiable:
		e := AsError(ctx, err)
		e.Code = Changed
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	if err := o.checkResponse(r, offset, length); err != nil {
		_ = r.Close()
		return nil, located(o.from, op, o.key, &Error{Code: Changed, Err: err})
	}
	return r, nil
}

// checkResponse compares a response with what was requested. A bucket without revisions may
// have a shorter object by now, and a server may ignore the condition.
func (o *pinnedObject) checkResponse(r *Reader, offset, length int64) error {
	if gotOffset, gotLength := r.Range(); gotOffset != offset || gotLength != length {
		return fmt.Errorf(
			"%d bytes from offset %d were asked for, and %d from %d came", length, offset, gotLength, gotOffset,
		)
	}
	if a := r.Attrs(); a != nil && !a.Same(o.attrs) {
		return errors.New("another revision came")
	}
	return nil
}

// fetch makes one request, and calls read with its bytes.
func (o *pinnedObject) fetch(ctx context.Context, offset, length int64, read func(io.Reader) error) error {
	r, err := o.open(ctx, o.op, offset, length)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	if err := read(r); err != nil {
		return err
	}
	return o.checkEnd(r)
}

func (o *pinnedObject) checkEnd(r *Reader) error { return checkEnd(o.from, o.op, o.key, r) }

// failure returns an error of a read as one of the operation. If ctx has ended, the error is that of
// ctx: err may be the cause of ctx, which is the caller's own.
func (o *pinnedObject) failure(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		err = ended
	} else if _, coded := findCode(err); coded {
		return err
	}
	return located(o.from, o.op, o.key, AsError(ctx, err))
}

// claimedBytes bounds the memory that is allocated for a size before its bytes come: the size
// may be wrong. More memory follows as the bytes come.
const claimedBytes = 256 << 20

// ReadAll downloads a whole object into memory.
func ReadAll(ctx context.Context, b Downloader, key string, opts ...DownloadOption) ([]byte, *Attrs, error) {
	r, err := b.Download(ctx, key, opts...)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = r.Close() }() // always nil
	_, length := r.Range()
	if e := checkFitsSlice(length); e != nil {
		return nil, nil, located(b, "ReadAll", key, e)
	}
	data, err := readWhole(b, "ReadAll", key, r, claimedBytes)
	if err != nil {
		return nil, nil, err
	}
	return data, r.Attrs(), nil
}

// readWhole reads all that r delivers; see readClaimed.
func readWhole(b Downloader, op, key string, r *Reader, claimed int64) ([]byte, error) {
	_, length := r.Range()
	data, err := readClaimed(r, length, claimed)
	if err != nil {
		return nil, err
	}
	return data, checkEnd(b, op, key, r)
}

// checkFitsSlice refuses a length that no slice can have on a system with 32 bits.
func checkFitsSlice(length int64) *Error {
	if length > math.MaxInt {
		return &Error{Code: Internal, Err: fmt.Errorf("%d bytes are too many for the memory of this system", length)}
	}
	return nil
}

// readClaimed reads length bytes. Before they come, it makes memory for claimed bytes, and then
// for at most as many as have come.
func readClaimed(r io.Reader, length, claimed int64) ([]byte, error) {
	data := make([]byte, min(max(length, 0), claimed))
	for have := int64(0); ; {
		if _, err := io.ReadFull(r, data[have:]); err != nil {
			return nil, err
		}
		if have = int64(len(data)); have >= length {
			return data, nil
		}
		more := make([]byte, have+min(have, length-have))
		copy(more, data)
		data = more
	}
}

// checkEnd fails unless r, whose bytes were all read, ends there: the checksum of a whole object
// is verified at the end.
func checkEnd(b Downloader, op, key string, r *Reader) error {
	switch _, err := io.ReadFull(r, r.end[:]); err {
	case io.EOF:
		return nil
	case nil:
		return located(b, op, key, &Error{Code: Internal, Err: errors.New("the reader delivers more than its range")})
	default:
		return err
	}
}
