// Package tus stores the uploads of package github.com/tus/tusd/v2 in a bucket. It provides a data
// store and a locker. The bucket must have [storage.OpenUploads], [storage.Metadata] and
// conditional writes.
//
//	store, err := tus.New(bucket, tus.Config{})
//	composer := tusd.NewStoreComposer()
//	store.UseIn(composer)
//	h, err := tusd.NewHandler(tusd.Config{StoreComposer: composer, BasePath: "/files/"})
//
// A program that does not use tusd yet can use package uploads of this library instead, which
// supports the same protocol.
//
// # Objects
//
// An upload with the ID "a" has these objects. [storage.Prefixed] puts them below a prefix:
//
//   - "a" is the content. A pre-create hook can set another key as Storage["Key"]. The object
//     appears when all bytes have arrived. Until then, the bytes are in parts of a multipart upload
//     in the bucket. If a hook has set the key or the ID, the object has the metadata "tusupload",
//     so that the Store recognizes it.
//   - "a.info" is the state of the upload. It is only written conditionally, so a server that has
//     lost its lock cannot acknowledge bytes.
//   - "a.part" has the bytes after the last full part, if there are any.
//   - "a.lock" is the lock. It exists while a request holds the lock.
//
// # What differs from the stores of tusd
//
//   - The content of an unfinished upload can be read only as long as it has no full part.
//   - A temporary file on this machine holds the part that is being received. It has 8 MiB for
//     uploads of up to 78 GiB, and 64 MiB if the client sends the length later.
//   - If all bytes have arrived but the server dies before it has made the object, the next request
//     for the upload makes the object. In this case, tusd does not call the hook for a finished
//     upload.
//   - If a hook sets an ID that another upload has, creating the upload fails with
//     ERR_UPLOAD_EXISTS.
//   - Uploads that began in another data store of tusd are not found. Let them finish in that
//     store.
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

// ErrExists is the error for a new upload whose ID is already in use.
var ErrExists = handler.NewError("ERR_UPLOAD_EXISTS", "there is an upload with this ID", http.StatusConflict)

// ErrIncomplete is the error for reading an unfinished upload with parts in a multipart upload. The
// parts cannot be read before the multipart upload is complete.
var ErrIncomplete = handler.NewError("ERR_INCOMPLETE_UPLOAD", "the upload is not finished", http.StatusBadRequest)

// A Config configures a Store. Its zero value has the defaults.
type Config struct {
	// Options returns the options with which an upload's object is stored, such as content type,
	// metadata and tags. If Options is nil, only the content type is set. The value "filetype" in
	// the upload's metadata sets the content type, if it is a valid content type of at most 1,024
	// bytes. Otherwise the extension of the key determines the content type.
	Options func(handler.FileInfo) []storage.WriteOption
}

// A Store keeps the uploads of tusd in a bucket. Its methods may be called concurrently.
type Store struct {
	bucket   storage.ReadWriter
	options  func(handler.FileInfo) []storage.WriteOption
	basePart int64 // usual size of a part in bytes; tests set a smaller one
	locks    *Locker
}

// New returns a Store in the bucket b. It makes no request. If b is nil, New fails with
// InvalidArgument. If b lacks conditional writes, [storage.OpenUploads] or [storage.Metadata], New
// fails with Unsupported.
func New(b storage.ReadWriter, c Config) (*Store, error) {
	const op = "tus.New"
	if b == nil {
		return nil, &storage.Error{Code: storage.InvalidArgument, Op: op, Err: errors.New("bucket must not be nil")}
	}
	const features = storage.ConditionalCreate | storage.ConditionalUpdate | storage.OpenUploads | storage.Metadata
	if !storage.Supports(b, features) {
		return nil, &storage.Error{
			Code: storage.Unsupported,
			Op:   op,
			Err:  errors.New("the bucket must have conditional writes, open uploads and metadata"),
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

// fileType returns the option for the content type that the client has sent, or none if the library does
// not permit that type.
func fileType(info handler.FileInfo) []storage.WriteOption {
	kind, parameters, err := mime.ParseMediaType(info.MetaData["filetype"])
	if err != nil || !strings.Contains(kind, "/") {
		return nil
	}

	// The library refuses a longer value, and one with a control character. A tab is the only one that
	// FormatMediaType does not escape.
	const maxLength = 1024 // bytes

	contentType := mime.FormatMediaType(kind, parameters) // the result is ASCII
	if len(contentType) > maxLength || strings.ContainsRune(contentType, '\t') {
		return nil
	}
	return []storage.WriteOption{storage.WithContentType(contentType)}
}

// UseIn sets the Store in a composer, with its Locker and all extensions of tus.
func (s *Store) UseIn(c *handler.StoreComposer) {
	c.UseCore(s)
	c.UseTerminater(s)
	c.UseConcater(s)
	c.UseLengthDeferrer(s)
	c.UseContentServer(s)
	c.UseLocker(s.locks)
}

// Locker returns the Locker of the Store, which uses the same bucket.
func (s *Store) Locker() *Locker { return s.locks }

// AsTerminatableUpload returns u, which must be an upload of this Store. tusd calls it.
func (s *Store) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload { return u.(*upload) }

// AsConcatableUpload returns u, which must be an upload of this Store. tusd calls it.
func (s *Store) AsConcatableUpload(u handler.Upload) handler.ConcatableUpload { return u.(*upload) }

// AsLengthDeclarableUpload returns u, which must be an upload of this Store. tusd calls it.
func (s *Store) AsLengthDeclarableUpload(u handler.Upload) handler.LengthDeclarableUpload {
	return u.(*upload)
}

// AsServableUpload returns u, which must be an upload of this Store. tusd calls it.
func (s *Store) AsServableUpload(u handler.Upload) handler.ServableUpload { return u.(*upload) }

// NewUpload begins an upload and saves its first state. If info has no ID, NewUpload makes a random one that
// nobody can guess.
func (s *Store) NewUpload(ctx context.Context, info handler.FileInfo) (handler.Upload, error) {
	u := &upload{store: s}
	key := info.Storage["Key"] // set if a hook of tusd has chosen the key

	// Choose the ID and the key of the object. A hook may have chosen either of them. Other programs may then
	// write to the same key, and the mark in the metadata shows whether this upload has made the object.
	isRandomID := info.ID == ""
	if isRandomID {
		info.ID = randomID()
	}
	u.state.OwnKey = isRandomID && key == ""
	if !u.state.OwnKey {
		u.state.Mark = rand.Text()
	}
	if key == "" {
		key = info.ID
	}

	// Fill in the state. The ID also gives the key of the state object.
	u.id = info.ID
	info.Offset = 0
	info.Storage = map[string]string{"Type": "omnibucket", "Key": key, "InfoKey": u.stateKey()}
	u.state.Info = info
	u.state.PartSize = s.basePart
	if info.SizeIsDeferred {
		// The length is not known yet, so the parts are larger, and their number suffices for any file.
		u.state.PartSize = deferredParts * s.basePart
	}

	// A final upload joins other uploads, and needs no parts.
	needsParts := !info.SizeIsDeferred && info.Size > s.basePart && !info.IsFinal
	if needsParts {
		if err := u.beginParts(ctx); err != nil {
			u.dropUnnamed(context.WithoutCancel(ctx))
			return nil, err
		}
	}

	// Save the state, which must be the first with this ID.
	if err := u.save(ctx, storage.IfAbsent()); err != nil {
		if u.state.Token != "" {
			err = errors.Join(err, u.parts.Abort(context.WithoutCancel(ctx)))
		}
		if storage.CodeOf(err) == storage.PreconditionFailed {
			return nil, ErrExists
		}
		return nil, fmt.Errorf("beginning an upload: %w", err)
	}
	return u, nil
}

// randomID returns an ID that nobody can guess.
func randomID() string {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

// GetUpload returns the upload with this ID. If it does not exist, the error is
// handler.ErrNotFound.
func (s *Store) GetUpload(ctx context.Context, id string) (handler.Upload, error) {
	u := &upload{store: s, id: id}
	err := u.load(ctx)
	if err == nil {
		return u, nil
	}
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, handler.ErrNotFound
	}

	loadOther := func(id string) error {
		other := &upload{store: s, id: id}
		return other.load(ctx)
	}
	return nil, orNotFound(err, loadOther)
}

// orNotFound returns handler.ErrNotFound in place of err if err means that the ID is not permitted as a
// key, because no upload can have such an ID.
//
// A client gives up its upload after ErrNotFound, so a store that refuses every key must not cause it.
// To detect such a store, orNotFound calls probe, which repeats the failed request with a valid key.
func orNotFound(err error, probe func(key string) error) error {
	if storage.CodeOf(err) != storage.InvalidArgument {
		return err
	}
	probeErr := probe(rand.Text())
	acceptsKeys := probeErr == nil || storage.CodeOf(probeErr) == storage.ObjectNotFound
	if acceptsKeys {
		return handler.ErrNotFound
	}
	return err
}
