package storage

import (
	"context"
	"io"
)

// ReadAll downloads a whole object into memory.
func ReadAll(ctx context.Context, b Downloader, key string, opts ...DownloadOption) ([]byte, *Attrs, error) {
	if own, ok := b.(*bucket); ok && len(opts) == 0 && own.core.recycles() {
		if store, ok := own.core.driver.(lender); ok {
			return own.copyAll(ctx, store, key)
		}
	}
	r, err := b.Download(ctx, key, opts...)
	if err != nil {
		return nil, nil, err
	}
	return r.readAll()
}

// A lender is a transient driver that has objects in memory: it answers a request
// for a whole object with the bytes as they lie, which nobody changes.
type lender interface {
	Lend(ctx context.Context, r *GetRequest) (*Attrs, []byte, error)
}

// copyAll is ReadAll of a lender: all of it happens in one call, so nothing is
// opened, resumed or closed.
func (b *bucket) copyAll(ctx context.Context, store lender, key string) ([]byte, *Attrs, error) {
	h := newHead(b.core)
	data, attrs, err := h.copyAll(ctx, b, store, key)
	h.recycle()
	return data, attrs, err
}

func (h *head) copyAll(ctx context.Context, b *bucket, store lender, key string) ([]byte, *Attrs, error) {
	ctx, e := h.beginDownload(ctx, b, key)
	if e != nil {
		return nil, nil, h.end(e)
	}
	var attrs *Attrs
	var lent []byte
	e = h.call(ctx, func(ctx context.Context) (err error) {
		attrs, lent, err = store.Lend(ctx, &h.req)
		return err
	})
	if e != nil {
		return nil, nil, h.end(e)
	}
	data := append([]byte{}, lent...) // memory for a copy is not cleared first, as make's is
	h.bytes.Add(int64(len(data)))
	switch {
	case int64(len(data)) != attrs.Size:
		return nil, nil, h.end(&Error{Code: Internal, Err: io.ErrUnexpectedEOF})
	case attrs.CRC32C != nil:
		if sum := updateCRC(0, data); sum != *attrs.CRC32C {
			return nil, nil, h.end(mismatch(*attrs.CRC32C, sum))
		}
	}
	return data, h.present(attrs), h.end(nil)
}

// beginDownload is what comes before the first request of a Download without options.
func (h *head) beginDownload(ctx context.Context, b *bucket, key string) (context.Context, *Error) {
	if e := h.prepare(b, mayDownload, "Download", key); e != nil {
		return ctx, e
	}
	_ = h.req.Apply() // of no options, none is wrong
	if e := h.resolveRead(&h.req); e != nil {
		return ctx, e
	}
	return h.begin(ctx)
}

// readAll reads to the end, and closes r.
func (r *Reader) readAll() ([]byte, *Attrs, error) {
	defer func() { _ = r.Close() }() // nil, always; what matters was read
	_, length := r.Range()
	data := make([]byte, max(length, 0))
	n, err := io.ReadFull(r, data)
	if err == nil { // the end tells whether the checksum is right
		err = atEnd(r)
	}
	if err != nil {
		return nil, nil, err
	}
	return data[:n], r.Attrs(), nil
}

func atEnd(r *Reader) error {
	if d, own := r.from.(*download); own && d.left == 0 {
		if err := d.finish(); err != io.EOF {
			return err
		}
		return nil
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		return err
	}
	return nil
}
