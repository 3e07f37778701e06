package storage

import (
	"context"
	"errors"
	"slices"

	"github.com/omnibucket/storage/internal/partfile"
)

// startRecord begins to record which bytes are written to the temporary file part, so that a later
// call can continue the download. It returns false if that is not possible, or not worthwhile for a
// small object. anyAttrs is an *Attrs, a type that package serving cannot import for the variable
// that holds this function. If sync is true, the record survives a power failure.
func startRecord(part *partfile.File, source string, anyAttrs any, sync bool) bool {
	attrs := anyAttrs.(*Attrs)
	if source == "" || attrs.Revision == "" || attrs.Size < partfile.Least {
		return false
	}
	object := partfile.Object{Source: source, Revision: attrs.Revision, Size: attrs.Size}
	if attrs.CRC32C.Known {
		object.CRC32C = &attrs.CRC32C.Sum
	}
	return part.Record(object, sync) == nil
}

// continueDownload downloads the bytes that are missing in part, the temporary file of an earlier
// call, if the object still has the same revision. If done is false, the caller must download the
// whole object instead.
func continueDownload(
	ctx context.Context, b Downloader, key string, part *partfile.File, opts []DownloadOption,
	progress func(done, total int64),
) (attrs *Attrs, done bool, err error) {
	c := &continuation{
		ctx:      ctx,
		from:     b,
		key:      key,
		object:   part.Object(),
		opts:     opts,
		progress: progress,
		received: part.Has(),
	}

	if err := part.Fill(c.open); err != nil {
		if isOutdated(err) {
			return nil, false, nil
		}
		return nil, true, err
	}
	if part.Check() != nil {
		// The bytes of the earlier call are wrong.
		return nil, false, nil
	}

	// The responses are for ranges, and may lack the checksum of the whole object.
	if sum := c.object.CRC32C; sum != nil && !c.attrs.CRC32C.Known {
		c.attrs.CRC32C = CRC32C{Sum: *sum, Known: true}
	}
	return c.attrs, true, nil
}

// A continuation is one call of continueDownload.
type continuation struct {
	ctx      context.Context // of the call, because partfile calls open without a context
	from     Downloader
	key      string
	object   partfile.Object
	opts     []DownloadOption
	progress func(done, total int64) // may be nil
	received int64                   // bytes in the file, and bytes that open has requested
	attrs    *Attrs                  // from the first response
}

// open requests length bytes of the same revision from an offset.
func (c *continuation) open(offset, length int64) (partfile.Reader, error) {
	// Clip the slice, so that append does not write into the options of the caller.
	opts := append(slices.Clip(c.opts), WithRange(offset, length), IfRevision(c.object.Revision))
	if c.progress != nil {
		opts = append(opts, WithProgress(c.progressAfter(c.received)))
	}

	r, err := c.from.Download(c.ctx, c.key, opts...)
	if err != nil {
		return nil, err
	}
	c.received += length
	if c.attrs == nil {
		c.attrs = r.Attrs()
	}
	return r, nil
}

// progressAfter returns a function that reports the progress of a request. Before the request, the file
// has the given number of bytes.
func (c *continuation) progressAfter(received int64) func(done, total int64) {
	return func(done, _ int64) {
		c.progress(received+done, c.object.Size)
	}
}

// isOutdated reports whether err shows that a download cannot be continued, because the object has
// changed or the options cannot read a range of it.
func isOutdated(err error) bool {
	// An error of the file is not an *Error, and a download of the whole object would not help.
	if _, ok := errors.AsType[*Error](err); !ok {
		return false
	}
	switch CodeOf(err) {
	case PreconditionFailed,
		Changed,
		ObjectNotFound,
		RangeNotSatisfiable,
		InvalidArgument,
		Unsupported,
		ChecksumMismatch:
		return true
	}
	return false
}
