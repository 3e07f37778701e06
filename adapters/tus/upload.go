package tus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/omnibucket/storage"
)

// A state is what the state object of an upload says, in JSON.
type state struct {
	Info     handler.FileInfo // Offset counts the bytes that are stored
	Token    string           // of the open upload of the store; "" if there is none
	PartSize int64            // bytes of each part but the last
	Parts    int              // of the open upload
	Tail     int64            // bytes of the tail object that count: those after the last part
	// TailRevision is that of the tail object when it was stored last; "" before.
	TailRevision string
	Done         bool // the content is an object
	OwnKey       bool // nobody else can have an object with the key, because it was drawn here
	// Mark is in the metadata of an object at a key that others may write; "" for a key of its own.
	Mark string
}

// An upload is one upload of a client. One request at a time has it.
type upload struct {
	store    *Store
	id       string
	state    state
	revision string                  // of the state object
	parts    storage.MultipartUpload // of state.Token; nil until it is needed
}

func (u *upload) stateKey() string { return u.id + ".info" }
func (u *upload) tailKey() string  { return u.id + ".part" }
func (u *upload) key() string      { return u.state.Info.Storage["Key"] }

func (u *upload) load(ctx context.Context) error {
	text, attrs, err := storage.ReadAll(ctx, u.store.bucket, u.stateKey())
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &u.state); err != nil || u.key() == "" {
		return fmt.Errorf("%w: %s is not a state of this store", handler.ErrNotFound, u.stateKey())
	}
	u.revision = attrs.Revision
	return nil
}

// save stores the state. Without options, it must be the one that was read or saved last.
func (u *upload) save(ctx context.Context, opts ...storage.UploadOption) error {
	text, err := json.Marshal(u.state)
	if err != nil {
		return err
	}
	if len(opts) == 0 {
		opts = append(opts, storage.IfRevision(u.revision))
	}
	if storage.Supports(u.store.bucket, storage.ContentProperties) {
		opts = append(opts, storage.WithContentType("application/json"))
	}
	attrs, err := u.store.bucket.Upload(ctx, u.stateKey(), bytes.NewReader(text), opts...)
	if err != nil {
		return err
	}
	u.revision = attrs.Revision
	return nil
}

// GetInfo returns what is known of the upload. If all bytes have arrived, GetInfo makes the object
// first: an earlier request may have failed to. Tusd would not try again, because a client that
// learns that it has sent everything sends nothing more.
func (u *upload) GetInfo(ctx context.Context) (handler.FileInfo, error) {
	info := u.state.Info
	if info.SizeIsDeferred || info.IsFinal || info.Offset < info.Size {
		return info, nil
	}
	return info, u.FinishUpload(ctx)
}

// DeclareLength sets the length of the whole.
func (u *upload) DeclareLength(ctx context.Context, length int64) error {
	u.state.Info.Size, u.state.Info.SizeIsDeferred = length, false
	return u.save(ctx)
}

// FinishUpload makes the object, if no call has made it already.
func (u *upload) FinishUpload(ctx context.Context) error {
	if u.state.Done {
		return nil
	}
	if u.state.Token == "" {
		if err := u.withTail(ctx, func(tail io.Reader) error {
			_, err := u.store.bucket.Upload(ctx, u.key(), tail, optionsOf[storage.UploadOption](u)...)
			return err
		}); err != nil {
			return err
		}
		return u.finished(ctx)
	}
	if u.state.Tail > 0 { // the length was declared after the last byte
		if err := u.withTail(ctx, func(tail io.Reader) error { return u.putPart(ctx, tail, u.state.Tail) }); err != nil {
			return err
		}
	}
	if err := u.open(ctx); err != nil {
		return err
	}
	if _, err := u.parts.Complete(ctx, storage.WithSize(u.state.Info.Size)); err != nil {
		return err
	}
	return u.finished(ctx)
}

// finished saves that the object is there, and removes the tail object.
func (u *upload) finished(ctx context.Context) error {
	hasTail := u.state.Token != "" || u.state.TailRevision != ""
	u.state.Done, u.state.Tail = true, 0
	if err := u.save(ctx); err != nil || !hasTail {
		return err
	}
	return u.store.bucket.Remove(ctx, u.tailKey())
}

// ConcatUploads makes the object of those of other uploads, which stay.
func (u *upload) ConcatUploads(ctx context.Context, pieces []handler.Upload) error {
	keys := make([]string, len(pieces))
	for i, piece := range pieces {
		keys[i] = piece.(*upload).key()
	}
	made, err := storage.Compose(ctx, u.store.bucket, u.key(), keys, optionsOf[storage.CopyOption](u)...)
	if err != nil {
		return fmt.Errorf("joining uploads: %w", err)
	}
	u.state.Info.Offset = made.Size
	return u.finished(ctx)
}

// Terminate removes everything of the upload; the state last, so that it may be repeated. At a key that others may
// write, it removes an object only if the upload has made that.
func (u *upload) Terminate(ctx context.Context) error {
	made, err := u.state.Done, error(nil)
	if !made && !u.state.OwnKey {
		made, err = u.isMade(ctx)
	}
	if err == nil && !made && u.state.Token != "" {
		if err = u.open(ctx); err == nil {
			err = u.parts.Abort(ctx)
		}
	}
	if err != nil {
		return err
	}
	u.dropUnnamed(ctx)
	keys := []string{u.tailKey()}
	if made || u.state.OwnKey { // a server may have died between the object and the state
		keys = append(keys, u.key())
	}
	for _, key := range append(keys, u.stateKey()) {
		if err := u.store.bucket.Remove(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// dropUnnamed drops open uploads that no state names, because the response to their beginning was lost. Only at a
// key of its own there are none of others. If that fails, they are left to the store.
func (u *upload) dropUnnamed(ctx context.Context) {
	if !u.state.OwnKey {
		return
	}
	for open, err := range storage.ListUploads(ctx, u.store.bucket, storage.WithPrefix(u.key())) {
		if err != nil || open.Key == u.key() && storage.AbortUpload(ctx, u.store.bucket, open) != nil {
			return
		}
	}
}

// isMade reports whether the upload has made the object, and its state could not be saved after that.
func (u *upload) isMade(ctx context.Context) (bool, error) {
	found, err := u.store.bucket.Attrs(ctx, u.key())
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return false, nil
	}
	return err == nil && u.state.Mark != "" && found.Metadata[markName] == u.state.Mark, err
}

// GetReader reads the content. If the upload is not finished, it reads what has arrived while no
// part is whole; else the error is ErrIncomplete.
func (u *upload) GetReader(ctx context.Context) (io.ReadCloser, error) {
	switch {
	case u.state.Done:
		return u.store.bucket.Download(ctx, u.key())
	case u.state.Parts > 0:
		return nil, ErrIncomplete
	}
	return u.tail(ctx)
}

// ServeContent responds to a GET or HEAD request, with ranges and conditions.
func (u *upload) ServeContent(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	key, size := u.key(), u.state.Info.Size
	if !u.state.Done {
		key, size = u.tailKey(), u.state.Tail
		if u.state.Parts > 0 || size == 0 {
			return ErrIncomplete
		}
	}
	at, err := storage.NewReaderAt(ctx, u.store.bucket, key)
	if err != nil {
		return err
	}
	defer func() { _ = at.Close() }()
	attrs := at.Attrs()
	if u.state.Done && attrs.ETag != "" {
		w.Header().Set("ETag", attrs.ETag)
	}
	http.ServeContent(w, r, "", attrs.Modified, io.NewSectionReader(at, 0, min(size, at.Size())))
	return nil
}

// tail returns the bytes after the last part. If another server has continued the upload, the tail
// object may have those of a later part: the error is handler.ErrFileLocked.
func (u *upload) tail(ctx context.Context) (io.ReadCloser, error) {
	if u.state.Tail == 0 {
		return io.NopCloser(strings.NewReader("")), nil
	}
	r, err := u.store.bucket.Download(ctx, u.tailKey(), storage.WithRange(0, u.state.Tail))
	if err != nil {
		return nil, err
	}
	if r.Attrs().Metadata[tailPart] != strconv.Itoa(u.state.Parts+1) {
		_ = r.Close()
		return nil, handler.ErrFileLocked
	}
	return r, nil
}

// withTail calls f with the bytes after the last part.
func (u *upload) withTail(ctx context.Context, f func(io.Reader) error) error {
	tail, err := u.tail(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(tail), tail.Close())
}

// markName is the name of the metadata that has state.Mark.
const markName = "tusupload"

// optionsOf returns the options of the object, as options of a call.
func optionsOf[O any](u *upload) (opts []O) {
	for _, o := range u.store.options(u.state.Info) {
		opts = append(opts, any(o).(O))
	}
	if u.state.Mark != "" {
		marked := map[string]string{markName: u.state.Mark}
		var asked storage.UploadOptions
		for _, o := range u.store.options(u.state.Info) {
			_ = asked.Apply(o) // the call that gets it fails
		}
		maps.Copy(marked, asked.Metadata)
		opts = append(opts, any(storage.WithMetadata(marked)).(O))
	}
	return opts
}
