package files

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/omnibucket/storage"
)

// PartOptions say which part of which file a body is.
type PartOptions struct {
	// Token names the upload: 8 to 128 ASCII letters, digits, "-", "_" and ".",
	// drawn at random by who uploads, such as a UUID. Uploads of different
	// UploadedBy never meet, whatever their tokens.
	Token string
	Count int // of all parts, 1 to 10,000; the same in every call
	Part  int // this one's number, 1 to Count
	// UploadOptions are the whole file's, and the same in every call.
	UploadOptions
}

// UploadPart stores one part of a client file. The record is nil until all parts
// are there; then every call that finds them complete joins them and answers
// with the one record. A part may be empty. Where the provider wants parts of
// some size to join them itself (S3: 5 MiB and more, but for the last), smaller
// ones are joined by streaming.
//
// InvalidValue names a field; PartsChanged where Count or an option is not that
// of the parts before; Completed, with the Record, where the token has made its
// file already. Unsupported, below StoreFailed, if the bucket does not have
// storage.ConditionalCreate and storage.ConditionalUpdate. After any other error
// send the part again.
func (s *Store) UploadPart(ctx context.Context, body io.Reader, o PartOptions) (*Record, error) {
	return s.uploadPart(ctx, s.client, body, o)
}

// UploadTempPart stores one part of a temp file, as UploadPart does.
func (s *Store) UploadTempPart(ctx context.Context, body io.Reader, o PartOptions) (*Record, error) {
	return s.uploadPart(ctx, s.temp, body, o)
}

// A partUpload is one call for a part.
type partUpload struct {
	*Store
	kind
	options PartOptions
	prefix  string // of all that the upload keeps
	run     string // the state's, once it was entered

	conflicts atomic.Int64 // how often another call changed the state first
}

// partsPrefix is where the parts are.
func (u *partUpload) partsPrefix() string {
	if u.run == "" { // of a state that had no Run yet
		return u.prefix + "part/"
	}
	return u.prefix + "part/" + u.run + "/"
}

// partKey keeps parts in the order of their numbers.
func (u *partUpload) partKey(part int) string { return fmt.Sprintf("%s%05d", u.partsPrefix(), part) }

func (s *Store) uploadPart(ctx context.Context, k kind, body io.Reader, o PartOptions) (*Record, error) {
	if !s.swaps {
		return nil, &Error{
			Code: StoreFailed, Message: "Files cannot be uploaded in parts here.",
			Err: &storage.Error{Code: storage.Unsupported, Op: "UploadPart", Hint: "use a bucket that enforces IfAbsent and IfRevision"},
		}
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	if body == nil {
		return nil, invalid(fieldFile, "There is no file.")
	}
	u := &partUpload{Store: s, kind: k, options: o, prefix: k.uploadPrefix(&o)}
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
	// A part has no extension: its type is that of its first bytes, and so the
	// file's, where nothing else says it.
	if _, err := s.bucket.Upload(ctx, u.partKey(o.Part), body); err != nil {
		return nil, toError(err)
	}
	complete, err := u.complete(ctx)
	if err == nil && !complete {
		// Others may have completed it since, and tidied up; or it has expired, and
		// the part with it.
		if state, err = u.confirm(ctx, nil); err == nil && state.Claim == nil {
			return nil, nil
		}
	}
	if err != nil {
		return nil, uploadError(err)
	}
	return u.join(ctx)
}

// again is a call for an upload that was complete before it began. It drives to
// its end what was left unfinished.
func (u *partUpload) finishClaimed(ctx context.Context, state *partState) (*Record, error) {
	if !state.Claim.Recorded {
		return u.join(ctx)
	}
	r, err := u.records.Record(ctx, state.Claim.ID)
	if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
		return nil, toError(err)
	}
	return nil, completedError(r)
}

// ofUpload is the error of what is done to an upload whose state was there.
func uploadError(err error) error {
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return refuse(fieldToken, NotFound, "The parts have expired. Send all of them again.")
	}
	return toError(err)
}

// completed refuses a token that has made its file; r is nil where that was
// deleted.
func completedError(r *Record) error {
	e := refuse(fieldToken, Completed, "All parts of this file have been received already.")
	e.Record = r
	return e
}

// complete looks whether all parts are there. The last one is mostly sent last, so
// that one request answers for most parts. Of too many bytes no file is begun: a
// smaller part, sent again, makes them fewer.
func (u *partUpload) complete(ctx context.Context) (bool, error) {
	if u.options.Part != u.options.Count {
		there, err := u.bucket.Exists(ctx, u.partKey(u.options.Count))
		if err != nil || !there {
			return false, err
		}
	}
	keys, size, err := u.parts(ctx)
	switch {
	case err != nil || len(keys) < u.options.Count:
		return false, err
	case u.config.MaxSize > 0 && size > u.config.MaxSize:
		return false, tooLargeError(u.config.MaxSize)
	}
	return true, nil
}

// parts are the keys of the parts and their bytes in all, up to the first that is
// missing.
func (u *partUpload) parts(ctx context.Context) (keys []string, size int64, err error) {
	for entry, err := range u.bucket.List(ctx, storage.WithPrefix(u.partsPrefix())) {
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
