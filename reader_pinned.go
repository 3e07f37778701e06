package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// A pinnedObject is one revision of an object, for reads that make several requests.
type pinnedObject struct {
	from  Downloader
	key   string
	attrs *Attrs
	pin   []DownloadOption // selects the revision
}

// pinObject pins the revision of attrs, which a read with the options in r has returned. If the
// bucket has no revisions, nothing is pinned.
func pinObject(from Downloader, key string, r *DownloadOptions, attrs *Attrs) *pinnedObject {
	o := &pinnedObject{from: from, key: key, attrs: attrs}
	switch {
	case r.Version != "":
		o.pin = append(o.pin, WithVersion(r.Version))
	case attrs.Revision != "":
		o.pin = append(o.pin, IfRevision(attrs.Revision))
	}
	if r.set.Auxiliary {
		o.pin = append(o.pin, auxiliaryReads(r.set.Natives)...)
		return o
	}
	o.pin = append(o.pin, nativeReads(r.set.Natives)...)
	return o
}

// open reads length bytes from offset off by one request, or all that follow if length is
// below 0. If the object was changed or removed, it fails with Changed.
func (o *pinnedObject) open(ctx context.Context, op string, off, length int64) (*Reader, error) {
	opts := append(o.pin[:len(o.pin):len(o.pin)], WithRange(off, length))
	if length >= 0 {
		opts = append(opts, WithConcurrency(1))
	} else {
		length = o.attrs.Size - off
	}
	from, err := o.from.Download(ctx, o.key, opts...)
	switch CodeOf(err) {
	case PreconditionFailed, ObjectNotFound, RangeNotSatisfiable:
		e := asError(ctx, err)
		e.Code = Changed
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	if err := o.checkResponse(from, off, length); err != nil {
		_ = from.Close()
		e := located(o.from, op, o.key, &Error{Code: Changed})
		e.Err = err
		return nil, e
	}
	return from, nil
}

// checkResponse compares a response with what was requested. A bucket without revisions may
// have a shorter object by now, and a server may ignore the condition.
func (o *pinnedObject) checkResponse(from *Reader, off, length int64) error {
	if gotOff, gotLength := from.Range(); gotOff != off || gotLength != length {
		return fmt.Errorf("%d bytes from offset %d were asked for, and %d from %d came", length, off, gotLength, gotOff)
	}
	if a := from.Attrs(); a != nil && changed(o.attrs, a) {
		return errors.New("another revision came")
	}
	return nil
}

// changed compares the attributes of a response with those of the first one. Without revisions, size
// and time have to do.
func changed(first, a *Attrs) bool {
	if first.Revision != "" {
		return a.Revision != first.Revision
	}
	return a.Size != first.Size || !a.Modified.Equal(first.Modified)
}

// fetch makes one request, and calls read with its bytes.
func (o *pinnedObject) fetch(ctx context.Context, off, length int64, read func(io.Reader) error) error {
	from, err := o.open(ctx, "ReadAt", off, length)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	if err := read(from); err != nil {
		return err
	}
	return checkEnd(o.from, "ReadAt", o.key, from)
}
