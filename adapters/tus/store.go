// Package tus makes a data store and a locker of package github.com/tus/tusd/v2 of any bucket with
// [storage.OpenUploads], [storage.Metadata] and conditional writes.
//
//	store, err := tus.New(bucket, tus.Config{})
//	composer := tusd.NewStoreComposer()
//	store.UseIn(composer)
//	h, err := tusd.NewHandler(tusd.Config{StoreComposer: composer, BasePath: "/files/"})
//
// A program without tusd uses the package uploads of this library, which speaks the same
// protocol.
//
// # Objects
//
// An upload with the ID "a" has these objects. [storage.Prefixed] puts them below a prefix:
//
//   - "a" is the content, or the key that a pre-create hook sets as Storage["Key"]. It appears when
//     all bytes have arrived. Until then they are in parts of an open upload of the store. If its key or ID
//     is that of a hook, its metadata has "tusupload", by which the store knows it.
//   - "a.info" is the state. Every write of it is conditional: a server that has lost its lock
//     cannot acknowledge bytes.
//   - "a.part" has the bytes after the last whole part, while there are some.
//   - "a.lock" is the lock, while a request holds it.
//
// # What differs from the stores of tusd
//
//   - The content of an unfinished upload can be read only while it has no whole part.
//   - A temporary file of this machine holds the part that is being received: 8 MiB for uploads of
//     up to 78 GiB, and 64 MiB if the length comes later.
//   - If a server dies before it has made the object of bytes that have arrived, the next request
//     for the upload makes it. Tusd calls no hook that the upload is finished then.
//   - A hook that sets an ID that an upload has already gets the error ERR_UPLOAD_EXISTS.
//   - Uploads that another store of tusd has begun are not found: let them finish there.
package tus

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/omnibucket/storage"
)

// ErrExists is the error of an upload whose ID another upload has.
var ErrExists = handler.NewError("ERR_UPLOAD_EXISTS", "there is an upload with this ID", http.StatusConflict)

// ErrIncomplete is the error of reading an unfinished upload that has whole parts.
var ErrIncomplete = handler.NewError("ERR_INCOMPLETE_UPLOAD", "the upload is not finished", http.StatusBadRequest)

// A Config has the choices of a Store.
type Config struct {
	// Options returns the options of the object of an upload: content type, metadata, tags. nil:
	// the content type is the value "filetype" of the upload's metadata, if it is one of at most 1,024
	// bytes, else that of the key's extension.
	Options func(handler.FileInfo) []storage.WriteOption
}

// A Store keeps uploads in a bucket. It is safe for concurrent use.
type Store struct {
	bucket   storage.ReadWriter
	options  func(handler.FileInfo) []storage.WriteOption
	basePart int64 // bytes; the constant, which tests make smaller
	locks    *Locker
}

// New returns a store of uploads in b. It makes no request. If b is nil, New fails with
// InvalidArgument. If b lacks conditional writes, open uploads or metadata, New fails with Unsupported.
func New(b storage.ReadWriter, c Config) (*Store, error) {
	const op = "tus.New"
	if b == nil {
		return nil, &storage.Error{Code: storage.InvalidArgument, Op: op, Err: errors.New("bucket must not be nil")}
	}
	const features = storage.ConditionalCreate | storage.ConditionalUpdate | storage.OpenUploads | storage.Metadata
	if !storage.Supports(b, features) {
		return nil, &storage.Error{
			Code: storage.Unsupported, Op: op,
			Err: errors.New("the bucket must have conditional writes, open uploads and metadata"),
		}
	}
	if c.Options == nil {
		c.Options = fileType
		if !storage.Supports(b, storage.ContentProperties) {
			c.Options = func(handler.FileInfo) []storage.WriteOption { return nil }
		}
	}
	return &Store{bucket: b, options: c.Options, basePart: basePart, locks: newLocker(b)}, nil
}

// fileType returns the content type that the client has given, if it is one that the library takes.
func fileType(info handler.FileInfo) []storage.WriteOption {
	kind, parameters, err := mime.ParseMediaType(info.MetaData["filetype"])
	text := mime.FormatMediaType(kind, parameters) // ASCII
	if err != nil || !strings.Contains(kind, "/") || len(text) > 1024 || strings.ContainsRune(text, '\t') {
		return nil
	}
	return []storage.WriteOption{storage.WithContentType(text)}
}

// UseIn makes the store the core of a composer, with all extensions and the locks.
func (s *Store) UseIn(c *handler.StoreComposer) {
	c.UseCore(s)
	c.UseTerminater(s)
	c.UseConcater(s)
	c.UseLengthDeferrer(s)
	c.UseContentServer(s)
	c.UseLocker(s.locks)
}

// Locker returns the locks of the store.
func (s *Store) Locker() *Locker { return s.locks }

// AsTerminatableUpload returns upload, which must be one of the store's.
func (s *Store) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload { return u.(*upload) }

// AsConcatableUpload returns upload, which must be one of the store's.
func (s *Store) AsConcatableUpload(u handler.Upload) handler.ConcatableUpload { return u.(*upload) }

// AsLengthDeclarableUpload returns upload, which must be one of the store's.
func (s *Store) AsLengthDeclarableUpload(u handler.Upload) handler.LengthDeclarableUpload {
	return u.(*upload)
}

// AsServableUpload returns upload, which must be one of the store's.
func (s *Store) AsServableUpload(u handler.Upload) handler.ServableUpload { return u.(*upload) }

// NewUpload begins an upload. Without an ID, it gets one that cannot be guessed.
func (s *Store) NewUpload(ctx context.Context, info handler.FileInfo) (handler.Upload, error) {
	u := &upload{store: s}
	if info.ID == "" {
		id := make([]byte, 16)
		_, _ = rand.Read(id) // never fails
		info.ID = hex.EncodeToString(id)
		u.state.OwnKey = info.Storage["Key"] == ""
	}
	key := info.Storage["Key"]
	if key == "" {
		key = info.ID
	}
	if !u.state.OwnKey {
		u.state.Mark = rand.Text()
	}
	u.id = info.ID
	info.Offset, info.Storage = 0, map[string]string{"Type": "omnibucket", "Key": key, "InfoKey": u.stateKey()}
	u.state.Info = info
	u.state.PartSize = s.basePart
	switch {
	case info.SizeIsDeferred:
		u.state.PartSize = deferredParts * s.basePart
	case info.Size > s.basePart && !info.IsFinal: // a final one is joined of others
		if err := u.begin(ctx); err != nil {
			u.dropUnnamed(context.WithoutCancel(ctx))
			return nil, err
		}
	}
	err := u.save(ctx, storage.IfAbsent())
	if err == nil {
		return u, nil
	}
	if u.state.Token != "" {
		err = errors.Join(err, u.parts.Abort(context.WithoutCancel(ctx)))
	}
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return nil, ErrExists
	}
	return nil, fmt.Errorf("beginning an upload: %w", err)
}

// GetUpload returns an upload. If there is none with that ID, the error is handler.ErrNotFound.
func (s *Store) GetUpload(ctx context.Context, id string) (handler.Upload, error) {
	u := &upload{store: s, id: id}
	err := u.load(ctx)
	switch storage.CodeOf(err) {
	case "":
		return u, nil
	case storage.ObjectNotFound:
		return nil, handler.ErrNotFound
	}
	return nil, orNotFound(err, func(id string) error { return (&upload{store: s, id: id}).load(ctx) })
}

// orNotFound returns handler.ErrNotFound if a request failed because the library or the store refuses an ID: nobody
// has such an upload. Otherwise it returns err, because a client would give its upload up after 404. A store with
// wrong settings, such as its region, refuses every key: then probe fails, too, which is the same request for a
// key that every store takes.
func orNotFound(err error, probe func(key string) error) error {
	if storage.CodeOf(err) != storage.InvalidArgument {
		return err
	}
	if code := storage.CodeOf(probe(rand.Text())); code == "" || code == storage.ObjectNotFound {
		return handler.ErrNotFound
	}
	return err
}
