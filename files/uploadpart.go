package files

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/omnibucket/storage"
)

// PartOptions describe one part of a file.
type PartOptions struct {
	// Token names the upload: 8 to 128 ASCII letters, digits, "-", "_" and ".",
	// chosen at random by the client, such as a UUID. Uploads of different UploadedBy
	// never share one, whatever their tokens.
	Token string
	Count int // how many parts there are, 1 to 10,000; the same in every call
	Part  int // this one's number, 1 to Count
	// UploadOptions describe the whole file, and are the same in every call.
	UploadOptions
}

// UploadPart stores one part of a client file. The record is nil until all parts are
// there. Then every call that finds them complete joins them and returns the same
// record. A part may be empty. If the provider joins only parts of some size (S3: at
// least 5 MiB, except for the last), smaller ones are joined by streaming.
//
// InvalidValue names a field. If Count or an option differs from the earlier parts,
// UploadPart fails with PartsChanged. If the token has made its file already, it
// fails with Completed, and the Error has the Record. If the bucket does not support
// [storage.ConditionalCreate] and [storage.ConditionalUpdate], and the records are no
// [PartStates], it fails with StoreFailed, which wraps Unsupported. After any other
// error, send the part again.
func (s *Store) UploadPart(ctx context.Context, body io.Reader, o PartOptions) (*Record, error) {
	return s.uploadPart(ctx, s.client, body, o)
}

// UploadTempPart stores one part of a temp file, like [Store.UploadPart].
func (s *Store) UploadTempPart(ctx context.Context, body io.Reader, o PartOptions) (*Record, error) {
	return s.uploadPart(ctx, s.temp, body, o)
}

// A partUpload is one call for a part.
type partUpload struct {
	store   *Store
	kind    kind
	options PartOptions
	prefix  string // of all objects of the upload
	run     string // of the state, after enter

	conflicts atomic.Int64 // how often another call changed the state first
}

func (u *partUpload) stateKey() string { return u.prefix + stateName }

// partsPrefix returns the prefix of the parts.
func (u *partUpload) partsPrefix() string {
	if u.run == "" { // of a state of an earlier version
		return u.prefix + "part/"
	}
	return u.prefix + "part/" + u.run + "/"
}

// partKey returns a key. Parts are in the order of their numbers.
func (u *partUpload) partKey(part int) string { return fmt.Sprintf("%s%05d", u.partsPrefix(), part) }

func (s *Store) uploadPart(ctx context.Context, k kind, body io.Reader, o PartOptions) (*Record, error) {
	if !s.takesParts {
		return nil, &Error{
			Code: StoreFailed, Message: "Files cannot be uploaded in parts here.",
			Err: &storage.Error{Code: storage.Unsupported, Op: "UploadPart", Hint: "keep the records in a database (package sqlrecords), or use a bucket that enforces IfAbsent and IfRevision"},
		}
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	if body == nil {
		return nil, invalid(fieldFile, "There is no file.")
	}
	u := &partUpload{store: s, kind: k, options: o, prefix: k.uploadPrefix(&o)}
	state, err := u.enter(ctx)
	switch {
	case err != nil:
		return nil, toError(err)
	case state.Claim != nil:
		return u.finishClaimed(ctx, state)
	}
	if body, err = u.bounded(ctx, body); err != nil {
		return nil, toError(err)
	}
	// A part has no extension: its type is detected from its first bytes, and is the
	// file's if nothing else says it.
	if _, err := s.bucket.Upload(ctx, u.partKey(o.Part), body); err != nil {
		return nil, toError(err)
	}
	complete, err := u.complete(ctx)
	if err == nil && !complete {
		// Others may have completed it and removed the parts. Or it has expired
		// together with the part.
		if state, err = u.confirm(ctx, nil); err == nil && state.Claim == nil {
			return nil, nil
		}
	}
	if err != nil {
		return nil, uploadError(err)
	}
	return u.join(ctx)
}

// finishClaimed handles a call for an upload that was complete before. It finishes
// what is left to do.
func (u *partUpload) finishClaimed(ctx context.Context, state *partState) (*Record, error) {
	if !state.Claim.Recorded {
		return u.join(ctx)
	}
	r, err := u.kind.records.Record(ctx, state.Claim.ID)
	if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
		return nil, toError(err)
	}
	return nil, completedError(r)
}

// uploadError converts the error of an upload whose state existed.
func uploadError(err error) error {
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return refuse(fieldToken, NotFound, "The parts have expired. Send all of them again.")
	}
	return toError(err)
}

// completedError returns the error for a token that has made its file; r is nil if
// that was deleted.
func completedError(r *Record) error {
	e := refuse(fieldToken, Completed, "All parts of this file have been received already.")
	e.Record = r
	return e
}

// complete reports whether all parts are there. The last part is usually sent last,
// so one request is enough for most parts. If the parts are too large, no file is
// started, and a smaller part can replace one.
func (u *partUpload) complete(ctx context.Context) (bool, error) {
	if u.options.Part != u.options.Count {
		there, err := u.store.bucket.Exists(ctx, u.partKey(u.options.Count))
		if err != nil || !there {
			return false, err
		}
	}
	keys, size, err := u.parts(ctx)
	switch {
	case err != nil || len(keys) < u.options.Count:
		return false, err
	case u.store.config.MaxSize > 0 && size > u.store.config.MaxSize:
		return false, tooLargeError(u.store.config.MaxSize)
	}
	return true, nil
}

// parts returns the keys of the parts and their total size, up to the first that is
// missing.
func (u *partUpload) parts(ctx context.Context) (keys []string, size int64, err error) {
	for entry, err := range u.store.bucket.List(ctx, storage.WithPrefix(u.partsPrefix())) {
		if err != nil {
			return nil, 0, err
		}
		if entry.Key != u.partKey(len(keys)+1) {
			break
		}
		keys = append(keys, entry.Key)
		size += entry.Size
	}
	return keys, size, nil
}
