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
	"slices"
	"strconv"
	"strings"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/omnibucket/storage"
)

// A state is the state of an upload. It is stored as JSON in the state object.
type state struct {
	Info     handler.FileInfo // its Offset is the number of bytes that are stored
	Token    string           // token of the multipart upload; "" before it begins
	PartSize int64            // bytes of each part except the last
	Parts    int              // number of parts in the multipart upload
	Tail     int64            // number of bytes in the tail object that belong to this state
	// TailRevision is the revision of the tail object as last stored. It is "" if there is none.
	TailRevision string
	Done         bool // true if the object of the upload exists
	OwnKey       bool // true if this package made the random key, so that no other program uses it
	// Mark is a value in the metadata of the object that shows which upload has made it. It is ""
	// if OwnKey is true, because no other program can have stored the object then.
	Mark string
}

// An upload is one upload of a client. It must not be used concurrently.
type upload struct {
	store    *Store
	id       string
	state    state
	revision string                  // revision of the state object
	parts    storage.MultipartUpload // multipart upload of state.Token; nil before it is needed
}

func (u *upload) stateKey() string { return u.id + ".info" }
func (u *upload) tailKey() string  { return u.id + ".part" }
func (u *upload) key() string      { return u.state.Info.Storage["Key"] }

// load reads the state from its object, or fails with handler.ErrNotFound if the object is something else.
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

// save stores the state. Without opts, it fails if another server has changed the state since u last read
// or saved it.
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

// GetInfo returns the state of the upload for tusd. If all bytes have arrived but an earlier request failed
// to make the object, GetInfo makes it, because the client sends no more.
func (u *upload) GetInfo(ctx context.Context) (handler.FileInfo, error) {
	info := u.state.Info
	hasAllBytes := !info.SizeIsDeferred && info.Offset >= info.Size
	// The object of a final upload, which joins others, is made by ConcatUploads.
	if !hasAllBytes || info.IsFinal {
		return info, nil
	}
	return info, u.FinishUpload(ctx)
}

// DeclareLength sets the length of the upload, which was not known before.
func (u *upload) DeclareLength(ctx context.Context, length int64) error {
	u.state.Info.Size = length
	u.state.Info.SizeIsDeferred = false
	return u.save(ctx)
}

// FinishUpload makes the object from the stored bytes. It does nothing if an earlier call has made it.
func (u *upload) FinishUpload(ctx context.Context) error {
	if u.state.Done {
		return nil
	}

	// Without a multipart upload, the tail object has all bytes.
	if u.state.Token == "" {
		if err := u.uploadTail(ctx); err != nil {
			return err
		}
		return u.saveDone(ctx)
	}

	// If the client sent the length after the last byte, the tail object still has the last part.
	if u.state.Tail > 0 {
		if err := u.putTailAsPart(ctx); err != nil {
			return err
		}
	}
	if err := u.openParts(ctx); err != nil {
		return err
	}
	if _, err := u.parts.Complete(ctx, storage.WithSize(u.state.Info.Size)); err != nil {
		return err
	}
	return u.saveDone(ctx)
}

// uploadTail makes the object of an upload whose bytes are all in the tail object.
func (u *upload) uploadTail(ctx context.Context) error {
	return u.withTail(ctx, func(tail io.Reader) error {
		_, err := u.store.bucket.Upload(ctx, u.key(), tail, optionsOf[storage.UploadOption](u)...)
		return err
	})
}

// putTailAsPart stores the bytes of the tail object as the last part.
func (u *upload) putTailAsPart(ctx context.Context) error {
	return u.withTail(ctx, func(tail io.Reader) error {
		return u.putPart(ctx, tail, u.state.Tail)
	})
}

// saveDone saves in the state that the object exists, and removes the tail object, which has the bytes after the last
// full part.
func (u *upload) saveDone(ctx context.Context) error {
	// Most uploads in one piece have no tail, so they need no request to remove one.
	hasTail := u.state.Token != "" || u.state.TailRevision != ""
	u.state.Done = true
	u.state.Tail = 0
	if err := u.save(ctx); err != nil {
		return err
	}

	if !hasTail {
		return nil
	}
	return u.store.bucket.Remove(ctx, u.tailKey())
}

// ConcatUploads makes the object of u by joining the objects of other uploads, which stay as they are.
func (u *upload) ConcatUploads(ctx context.Context, pieces []handler.Upload) error {
	// tusd passes only uploads of this Store.
	keys := make([]string, len(pieces))
	for i, piece := range pieces {
		keys[i] = piece.(*upload).key()
	}

	attrs, err := storage.Compose(ctx, u.store.bucket, u.key(), keys, optionsOf[storage.CopyOption](u)...)
	if err != nil {
		return fmt.Errorf("joining uploads: %w", err)
	}
	u.state.Info.Offset = attrs.Size
	return u.saveDone(ctx)
}

// Terminate removes the upload and all its objects, and the state last, so that a failed call can be
// repeated. It keeps content that another program has stored under the same key.
func (u *upload) Terminate(ctx context.Context) error {
	hasObject, err := u.madeObject(ctx)
	if err != nil {
		return err
	}

	// Drop the parts of an upload that has made no object.
	if !hasObject && u.state.Token != "" {
		if err := u.openParts(ctx); err != nil {
			return err
		}
		if err := u.parts.Abort(ctx); err != nil {
			return err
		}
	}

	// Drop the multipart uploads that no state names.
	u.dropUnnamed(ctx)

	// Remove the tail, the object and the state. An object under an own key, which is random, can be that of this
	// upload only.
	keys := []string{u.tailKey()}
	if hasObject || u.state.OwnKey {
		keys = append(keys, u.key())
	}
	keys = append(keys, u.stateKey())
	for _, key := range keys {
		if err := u.store.bucket.Remove(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// dropUnnamed tries to abort all multipart uploads of the key, including any whose token the state lacks
// because the response with the token was lost.
func (u *upload) dropUnnamed(ctx context.Context) {
	if !u.state.OwnKey {
		// Other programs may have multipart uploads of the same key.
		return
	}

	for open, err := range storage.ListUploads(ctx, u.store.bucket, storage.WithPrefix(u.key())) {
		if err != nil {
			return
		}
		if open.Key != u.key() {
			// Another upload has a key that begins with this one.
			continue
		}
		if err := storage.AbortUpload(ctx, u.store.bucket, open); err != nil {
			return
		}
	}
}

// madeObject reports whether this upload is known to have made its object. The state does not say so if a server died
// after it had made the object. If another program may have made it, the metadata must have the mark of the upload.
func (u *upload) madeObject(ctx context.Context) (bool, error) {
	if u.state.Done {
		return true, nil
	}
	if u.state.OwnKey {
		// No other program uses the key, so the object has no mark that Attrs could find.
		return false, nil
	}

	attrs, err := u.store.bucket.Attrs(ctx, u.key())
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return u.state.Mark != "" && attrs.Metadata[markName] == u.state.Mark, nil
}

// GetReader returns a reader of the content, or of the bytes that have arrived. It fails with ErrIncomplete
// if some of these are in parts of a multipart upload, which cannot be read.
func (u *upload) GetReader(ctx context.Context) (io.ReadCloser, error) {
	if u.state.Done {
		return u.store.bucket.Download(ctx, u.key())
	}
	if u.state.Parts > 0 {
		return nil, ErrIncomplete
	}
	return u.openTail(ctx)
}

// ServeContent responds to a GET or HEAD request with the content, or with the bytes that have arrived. It
// supports ranges and conditional requests.
func (u *upload) ServeContent(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	key := u.key()
	size := u.state.Info.Size
	if !u.state.Done {
		// The bytes that have arrived are in the tail object, unless some of them are in stored parts. Those cannot be
		// read before the object is made.
		if u.state.Parts > 0 || u.state.Tail == 0 {
			return ErrIncomplete
		}
		key = u.tailKey()
		size = u.state.Tail
	}

	ra, err := storage.NewReaderAt(ctx, u.store.bucket, key)
	if err != nil {
		return err
	}
	defer ra.Close()

	attrs := ra.Attrs()
	if u.state.Done && attrs.ETag != "" {
		w.Header().Set("ETag", attrs.ETag)
	}
	// The tail object may have more bytes than the state counts.
	content := io.NewSectionReader(ra, 0, min(size, ra.Size()))
	http.ServeContent(w, r, "", attrs.Modified, content)
	return nil
}

// openTail returns a reader of the bytes after the last full part. If another server has stored a tail of
// a different part meanwhile, the error is handler.ErrFileLocked.
func (u *upload) openTail(ctx context.Context) (io.ReadCloser, error) {
	if u.state.Tail == 0 {
		return io.NopCloser(strings.NewReader("")), nil
	}

	r, err := u.store.bucket.Download(ctx, u.tailKey(), storage.WithRange(0, u.state.Tail))
	if err != nil {
		return nil, err
	}

	// The metadata has the number of the part that these bytes begin.
	if r.Attrs().Metadata[tailPart] != strconv.Itoa(u.state.Parts+1) {
		_ = r.Close()
		return nil, handler.ErrFileLocked
	}
	return r, nil
}

// withTail calls read with a reader of the bytes after the last full part.
func (u *upload) withTail(ctx context.Context, read func(tail io.Reader) error) error {
	tail, err := u.openTail(ctx)
	if err != nil {
		return err
	}
	return errors.Join(read(tail), tail.Close())
}

// markName is a name in the metadata of the object. Its value is state.Mark.
const markName = "tusupload"

// optionsOf returns the options for storing the object: those of Config.Options, and the mark of the
// upload in the metadata. O is an option type that every storage.WriteOption implements.
func optionsOf[O any](u *upload) []O {
	options := u.store.options(u.state.Info)
	if u.state.Mark != "" {
		options = append(slices.Clip(options), storage.WithMetadata(u.markedMetadata(options)))
	}

	var opts []O
	for _, option := range options {
		opts = append(opts, any(option).(O))
	}
	return opts
}

// markedMetadata returns the metadata that the options set, and the mark of the upload. An option with this
// metadata replaces the configured one, so it must repeat that.
func (u *upload) markedMetadata(options []storage.WriteOption) map[string]string {
	var applied storage.UploadOptions
	for _, option := range options {
		// Ignore the error: the call that stores the object gets the same options, and fails if one is invalid.
		_ = applied.Apply(option)
	}
	metadata := map[string]string{markName: u.state.Mark}
	maps.Copy(metadata, applied.Metadata)
	return metadata
}
