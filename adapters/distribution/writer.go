package distribution

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	registry "github.com/distribution/distribution/v3/registry/storage/driver"

	"github.com/omnibucket/storage"
)

// stateSuffix ends the key of the state of a file that is not committed.
const stateSuffix = "~upload"

// partSize is that of all parts but the last, in bytes. A layer of 160 GB has 10,000 of them.
const partSize = 16 << 20

// A state is the first line of its object, in JSON. The bytes after the whole parts follow.
type state struct {
	Token string `json:"token,omitempty"` // of the open upload; "" before the first part
	Parts int    `json:"parts,omitempty"`
	Sent  int64  `json:"sent,omitempty"` // bytes in these parts
}

var errEnded = errors.New("the file must not be closed, committed or canceled")

// A writer is a file that is written by one goroutine. It keeps at most a part in memory.
type writer struct {
	ctx    context.Context
	driver *driver
	key    string
	state  state
	upload storage.MultipartUpload // nil before the first part of this writer
	tail   bytes.Buffer
	ended  bool
}

// Writer begins a file, or continues one that is not committed.
func (d *driver) Writer(ctx context.Context, path string, more bool) (registry.FileWriter, error) {
	w := &writer{ctx: ctx, driver: d, key: keyOf(path)}
	if !more {
		return w, nil
	}
	err := w.resume()
	if storage.CodeOf(err) != storage.ObjectNotFound {
		return w, err
	}
	a, err := d.bucket.Attrs(ctx, w.key)
	if err == nil && a.Size > 0 {
		return nil, fmt.Errorf("%s is committed, and has %d bytes: it cannot grow", path, a.Size)
	}
	return w, told(path, err)
}

// resume reads the state.
func (w *writer) resume() error {
	content, _, err := storage.ReadAll(w.ctx, w.driver.bucket, w.key+stateSuffix)
	if err != nil {
		return err
	}
	line, tail, ok := bytes.Cut(content, []byte("\n"))
	if !ok || json.Unmarshal(line, &w.state) != nil {
		return fmt.Errorf("the object %s must be the state of an upload", w.key+stateSuffix)
	}
	w.tail.Write(tail)
	return nil
}

func (w *writer) Size() int64 { return w.state.Sent + int64(w.tail.Len()) }

func (w *writer) Write(p []byte) (written int, err error) {
	if w.ended {
		return 0, errEnded
	}
	for len(p) > 0 {
		n := min(len(p), max(0, partSize-w.tail.Len()))
		w.tail.Write(p[:n])
		written, p = written+n, p[n:]
		if w.tail.Len() < partSize {
			break
		}
		if err := w.putPart(w.ctx); err != nil {
			return written, err
		}
	}
	return written, nil
}

// open continues the open upload of the store, or begins it.
func (w *writer) open(ctx context.Context) (err error) {
	switch {
	case w.upload != nil:
	case w.state.Token != "":
		w.upload, err = storage.ContinueUpload(ctx, w.driver.bucket, w.state.Token)
	default:
		if w.upload, err = storage.BeginUpload(ctx, w.driver.bucket, w.key); err == nil {
			w.state.Token = w.upload.Token()
		}
	}
	return err
}

// putPart stores the bytes in memory as the next part. After an error they are still in memory.
func (w *writer) putPart(ctx context.Context) error {
	if err := w.open(ctx); err != nil {
		return err
	}
	if _, err := w.upload.PutPart(ctx, w.state.Parts+1, bytes.NewReader(w.tail.Bytes())); err != nil {
		return err
	}
	w.state.Parts++
	w.state.Sent += int64(w.tail.Len())
	w.tail.Reset()
	return nil
}

// Close keeps what was written for the next Writer, also if the context of this one has ended.
func (w *writer) Close() error {
	if w.ended {
		return nil
	}
	w.ended = true
	ctx := context.WithoutCancel(w.ctx)
	if w.fitsPart() {
		if err := w.putPart(ctx); err != nil {
			return err
		}
	}
	line, err := json.Marshal(w.state)
	if err != nil {
		return err
	}
	content := append(append(line, '\n'), w.tail.Bytes()...)
	_, err = w.driver.bucket.Upload(ctx, w.key+stateSuffix, bytes.NewReader(content))
	return err
}

// fitsPart reports whether the store takes the bytes in memory as a part, although others follow.
func (w *writer) fitsPart() bool {
	if w.upload == nil {
		return false
	}
	limits := w.upload.Limits()
	size := int64(w.tail.Len())
	return size > 0 && size >= limits.MinSize && !limits.Equal && size%max(limits.Unit, 1) == 0
}

// Commit makes the file of what was written. After an error, it may be called again.
func (w *writer) Commit(ctx context.Context) error {
	if w.ended {
		return errEnded
	}
	err := w.commit(ctx)
	if err == nil {
		err = w.driver.bucket.Remove(ctx, w.key+stateSuffix)
	}
	w.ended = err == nil
	return err
}

func (w *writer) commit(ctx context.Context) error {
	if w.state.Parts == 0 {
		_, err := w.driver.bucket.Upload(ctx, w.key, bytes.NewReader(w.tail.Bytes()))
		return err
	}
	if w.tail.Len() > 0 {
		if err := w.putPart(ctx); err != nil {
			return err
		}
	}
	if err := w.open(ctx); err != nil {
		return err
	}
	// A registry that has died may have stored more parts than the state counts.
	parts := make([]storage.UploadedPart, w.state.Parts)
	for i := range parts {
		parts[i].Number = i + 1
	}
	_, err := w.upload.Complete(ctx, storage.WithParts(parts...))
	return err
}

// Cancel drops what was written.
func (w *writer) Cancel(ctx context.Context) error {
	if w.ended {
		return errEnded
	}
	w.ended = true
	if w.state.Token != "" {
		if err := w.open(ctx); err != nil {
			return err
		}
		if err := w.upload.Abort(ctx); err != nil {
			return err
		}
	}
	return w.driver.bucket.Remove(ctx, w.key+stateSuffix)
}

// abort drops the parts of a file that is not committed, and reports whether there is one. The store
// drops parts that could not be reached.
func (d *driver) abort(ctx context.Context, key string) bool {
	w := &writer{ctx: ctx, driver: d, key: key}
	if err := w.resume(); err != nil {
		return false
	}
	if w.state.Token != "" && w.open(ctx) == nil {
		_ = w.upload.Abort(ctx)
	}
	return true
}
