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

// stateSuffix is the end of a key. An object with such a key has the state of an unfinished file.
const stateSuffix = "~upload"

// partSize is the size of every part except the last, in bytes. With 10,000 parts, a layer may have
// 160 GB.
const partSize = 16 << 20

// A state says how much of an unfinished file is stored. It is the first line of an object, in
// JSON. The rest of that object has the bytes that follow the last complete part.
type state struct {
	Token string `json:"token,omitempty"` // token of the multipart upload; "" before the first part
	Parts int    `json:"parts,omitempty"`
	Sent  int64  `json:"sent,omitempty"` // number of bytes in these parts
}

var errEnded = errors.New("the file must not be closed, committed or canceled")

// A writer writes one file. It keeps at most one part in memory. It must not be used concurrently.
type writer struct {
	ctx    context.Context
	driver *driver
	key    string
	state  state
	upload storage.MultipartUpload // nil before this writer stores its first part
	tail   bytes.Buffer
	ended  bool
}

// Writer begins a new file or, if hasMore is true, continues an unfinished one.
func (d *driver) Writer(ctx context.Context, path string, hasMore bool) (registry.FileWriter, error) {
	w := &writer{ctx: ctx, driver: d, key: keyOf(path)}
	if !hasMore {
		return w, nil
	}

	err := w.resume()
	if err == nil {
		return w, nil
	}
	if storage.CodeOf(err) != storage.ObjectNotFound {
		return nil, err
	}

	// There is no unfinished file. A finished one may be written again if it is empty: it has no content to keep.
	attrs, err := d.bucket.Attrs(ctx, w.key)
	if err != nil {
		return nil, convertError(path, err)
	}
	if attrs.Size > 0 {
		return nil, fmt.Errorf("%s is committed, and has %d bytes: it cannot grow", path, attrs.Size)
	}
	return w, nil
}

// resume reads the state of an unfinished file, and the bytes after its last part.
func (w *writer) resume() error {
	content, _, err := storage.ReadAll(w.ctx, w.driver.bucket, w.key+stateSuffix)
	if err != nil {
		return err
	}

	// The first line is the state as JSON, and the bytes follow.
	line, tail, ok := bytes.Cut(content, []byte("\n"))
	if !ok || json.Unmarshal(line, &w.state) != nil {
		return fmt.Errorf("the object %s must be the state of an upload", w.key+stateSuffix)
	}
	w.tail.Write(tail)
	return nil
}

func (w *writer) Size() int64 { return w.state.Sent + int64(w.tail.Len()) }

// Write keeps the bytes in memory, and stores each part as soon as it is complete.
func (w *writer) Write(p []byte) (written int, err error) {
	if w.ended {
		return 0, errEnded
	}
	for len(p) > 0 {
		// A full part that an earlier call could not store leaves no space. It is stored first.
		space := max(0, partSize-w.tail.Len())
		n := min(len(p), space)
		w.tail.Write(p[:n])
		written += n
		p = p[n:]
		if w.tail.Len() < partSize {
			break
		}
		if err := w.putPart(w.ctx); err != nil {
			return written, err
		}
	}
	return written, nil
}

// open continues the multipart upload of the file, or begins one if there is none.
func (w *writer) open(ctx context.Context) error {
	if w.upload != nil {
		return nil
	}
	if w.state.Token != "" {
		upload, err := storage.ContinueUpload(ctx, w.driver.bucket, w.state.Token)
		if err != nil {
			return err
		}
		w.upload = upload
		return nil
	}

	upload, err := storage.BeginUpload(ctx, w.driver.bucket, w.key)
	if err != nil {
		return err
	}
	w.upload = upload
	w.state.Token = upload.Token()
	return nil
}

// putPart stores the bytes in memory as the next part. If it fails, the bytes stay in memory.
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

// Close stores the bytes and the state of the upload, so that a later Writer can continue. It does so
// even if the context is done.
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

	// The state is one line of JSON, which the bytes that do not fill a part follow.
	content, err := json.Marshal(w.state)
	if err != nil {
		return err
	}
	content = append(content, '\n')
	content = append(content, w.tail.Bytes()...)
	_, err = w.driver.bucket.Upload(ctx, w.key+stateSuffix, bytes.NewReader(content))
	return err
}

// fitsPart reports whether the store permits the bytes in memory as a part that is not the last one.
func (w *writer) fitsPart() bool {
	if w.upload == nil {
		return false
	}
	limits := w.upload.Limits()
	// If all parts must have the same size, that is partSize, and the bytes in memory are always fewer.
	if limits.Equal {
		return false
	}

	size := int64(w.tail.Len())
	unit := max(limits.Unit, 1)
	return size > 0 && size >= limits.MinSize && size%unit == 0
}

// Commit makes the file of all bytes that were written. If it fails, it may be called again.
func (w *writer) Commit(ctx context.Context) error {
	if w.ended {
		return errEnded
	}

	if err := w.commit(ctx); err != nil {
		return err
	}
	if err := w.driver.bucket.Remove(ctx, w.key+stateSuffix); err != nil {
		return err
	}
	w.ended = true
	return nil
}

// commit stores the file, which consists of the stored parts and the bytes in memory after them. It leaves the state of
// the upload to Commit, which removes it afterwards.
func (w *writer) commit(ctx context.Context) error {
	hasParts := w.state.Parts > 0
	if !hasParts {
		_, err := w.driver.bucket.Upload(ctx, w.key, bytes.NewReader(w.tail.Bytes()))
		return err
	}

	if w.tail.Len() > 0 {
		if err := w.putPart(ctx); err != nil {
			return err
		}
	}
	// Without bytes in memory, this writer may not have opened the upload of an earlier writer yet.
	if err := w.open(ctx); err != nil {
		return err
	}

	// The upload may have a part that the state does not count, because a registry died after it had stored the part.
	// Complete leaves out what is not in the list.
	parts := make([]storage.UploadedPart, w.state.Parts)
	for i := range parts {
		parts[i].Number = i + 1
	}
	_, err := w.upload.Complete(ctx, storage.WithParts(parts...))
	return err
}

// Cancel removes everything that was written: the parts of the multipart upload and the object with the state.
func (w *writer) Cancel(ctx context.Context) error {
	if w.ended {
		return errEnded
	}
	w.ended = true

	// Without a token, no multipart upload has begun.
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

// abort aborts the upload of an unfinished file, and reports whether there was such a file. Parts that
// cannot be removed stay until the store's own rules remove them.
func (d *driver) abort(ctx context.Context, key string) bool {
	w := &writer{ctx: ctx, driver: d, key: key}
	// Without a readable state, there is nothing to abort.
	if err := w.resume(); err != nil {
		return false
	}

	hasParts := w.state.Token != ""
	if hasParts && w.open(ctx) == nil {
		_ = w.upload.Abort(ctx)
	}
	return true
}
