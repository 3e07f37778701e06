package mirror

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/revisions"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// A note is a small object in the primary. It says that the second store may lack the last write or
// removal of a key.
type note struct {
	Key string `json:"key"`
	// ValidFor is how long a signed URL or form permits the write, in nanoseconds. It is 0 for other
	// writes.
	ValidFor time.Duration `json:"for,omitempty"`
	// Pair names the stores of the note (see pairOf). It is "" if an earlier version of this package wrote the note.
	Pair string `json:"pair,omitempty"`
	// Made is the time at which the note was written, by the clock of the writer. A restore of the
	// primary from a snapshot changes the time that the store has for the note, but not this one.
	Made time.Time `json:"made,omitzero"`
}

// putNote writes a note about key to the primary, and returns the note's own key. A note is a small
// object that announces a write which the second store may lack. valid is how long a signed URL or
// form permits the write, and otherwise 0.
func (s *stores) putNote(ctx context.Context, key string, valid time.Duration) (string, error) {
	if strings.HasPrefix(key, NotesPrefix) {
		return "", invalid("", "key must not begin with "+NotesPrefix+": a mirror keeps its notes there")
	}

	name := NotesPrefix + rand.Text()
	body, err := json.Marshal(note{
		Key:      key,
		ValidFor: valid,
		Pair:     pairOf(s.place, s.secondPlace),
		Made:     time.Now(),
	})
	if err != nil {
		return "", err
	}

	_, err = callPrimary(ctx, s, func(ctx context.Context) (*storage.Attrs, error) {
		return s.once.Upload(ctx, name, strings.NewReader(string(body)))
	})
	if storageErr, ok := errors.AsType[*storage.Error](err); ok {
		failure := *storageErr
		failure.Unknown = false // the caller's object was certainly not written
		return "", &failure
	}
	return name, err
}

// removeNote removes a note that is no longer needed. It ignores failures, because they do no harm:
// if the note stays, [Repair] copies the object again.
func (s *stores) removeNote(ctx context.Context, name string) {
	_, _ = bounded(context.WithoutCancel(ctx), s, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.once.Remove(ctx, name)
	})
}

// write calls do, which writes to the primary, and then makes the second store equal. It first puts a
// note into the primary, which says that the second store may lack the write, and removes it when both
// stores are equal. It returns the attributes that do returns.
func (s *stores) write(ctx context.Context, key string, do func() (*storage.Attrs, error)) (*storage.Attrs, error) {
	// A store of this mirror may itself be a mirror, whose reads must not fail over to older objects.
	ctx = evidence.WithoutFailover(ctx)
	const noURL = 0 // no signed URL permits the write later
	name, err := s.putNote(ctx, key, noURL)
	if err != nil {
		return nil, err
	}

	attrs, err := do()
	if err != nil {
		// The write has certainly failed, so nothing needs repair.
		if !errors.Is(err, storage.OutcomeUnknown) {
			s.removeNote(ctx, name)
		}
		return attrs, err
	}

	// The second store cannot have the copy yet.
	const compareFirst = false
	_, err = s.equalize(ctx, key, compareFirst)
	isComplete := err == nil || errors.Is(err, errLeftOut) // the second store needs no empty folder marker
	if isComplete {
		s.removeNote(ctx, name)
		return attrs, nil
	}

	// The note stays, so that Repair makes the second store equal later.
	if s.config.Sync || evidence.Asks(ctx, key) {
		return attrs, &storage.Error{
			Code:    storage.OutcomeUnknown,
			Unknown: true,
			Err:     err,
			Hint:    "the primary store has the write; the second one gets it from mirror.Repair",
		}
	}
	return attrs, nil
}

// refuseRevision fails with PreconditionFailed if the primary has an object. It is called for a write
// whose condition names a revision of the second store, which the primary never has.
func (s *stores) refuseRevision(ctx context.Context, key string) error {
	attrs, err := callPrimary(ctx, s, func(ctx context.Context) (*storage.Attrs, error) {
		return attrsOf(ctx, s.once, key)
	})
	if err != nil {
		return err
	}
	if attrs != nil {
		return storage.PreconditionFailed
	}
	return nil
}

// refuseNew fails if the condition of a write that creates an object names a revision of the second
// store, which the primary never has.
func (s *stores) refuseNew(ctx context.Context, r *driver.PutRequest) error {
	if !s.second.Has(r.Condition.Revision) {
		return nil
	}
	if err := s.refuseRevision(ctx, r.Key); err != nil {
		return err
	}
	return storage.PreconditionFailed
}

// Put stores the object in the primary, and copies it to the second store.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if err := d.stores.refuseNew(ctx, r); err != nil {
		return nil, err
	}
	put := func() (*storage.Attrs, error) { return d.Driver.Put(ctx, r) }
	return d.stores.write(ctx, r.Key, put)
}

// BeginParts begins an upload in the primary.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	if err := d.stores.refuseNew(ctx, r); err != nil {
		return "", err
	}
	return d.Driver.BeginParts(ctx, r)
}

// CompleteParts completes the object in the primary, and copies it to the second store.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if err := d.stores.refuseNew(ctx, r.Put); err != nil {
		return nil, err
	}
	complete := func() (*storage.Attrs, error) { return d.Driver.CompleteParts(ctx, r) }
	return d.stores.write(ctx, r.Put.Key, complete)
}

// Delete removes the object from the primary, and then from the second store.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	if d.stores.second.Has(r.Condition.Revision) {
		return d.stores.refuseRevision(ctx, r.Key)
	}
	remove := func() (*storage.Attrs, error) { return nil, d.Driver.Delete(ctx, r) }
	_, err := d.stores.write(ctx, r.Key, remove)
	return err
}

// SetTags changes the tags in the primary, and copies the object and its tags to the second store.
func (d *objectDriver) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	setTags := func() (*storage.Attrs, error) { return nil, d.Driver.SetTags(ctx, r) }
	_, err := d.stores.write(ctx, r.Key, setTags)
	return err
}

// Sign signs a request for the primary. For a write, it leaves a note for as long as the write is
// possible.
func (d *objectDriver) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	if r.Method == "GET" || r.Method == "HEAD" {
		return d.Driver.Sign(ctx, r)
	}

	if _, err := d.stores.putNote(ctx, r.Key, r.TTL); err != nil {
		return nil, err
	}
	return d.Driver.Sign(ctx, r)
}

// SignForm signs a form for the primary, and leaves a note for as long as an upload is possible.
func (d *objectDriver) SignForm(ctx context.Context, r *driver.SignRequest) (*storage.SignedForm, error) {
	if _, err := d.stores.putNote(ctx, r.Key, r.TTL); err != nil {
		return nil, err
	}
	return d.Driver.SignForm(ctx, r)
}

// rounds limits the number of attempts of a copy while others write the object.
const rounds = 8

// errAgain makes equalize begin again, because the primary may have another object than the one
// that was copied.
var errAgain = errors.New("look again")

// errLeftOut is the error of a copy that may be left out. The object is the marker of a folder, and
// the destination cannot have the marker's key.
var errLeftOut = errors.New("the store cannot have the marker of a folder")

// equalize makes both stores equal for a key: it copies the object of the primary to the second store,
// or removes it there if the primary has none. removed reports whether it has removed an object.
//
// If another process writes the object at the same time, the stores may still differ afterwards, even
// without an error. That process has put a note into the primary: a small object by which [Repair] finds
// the difference.
//
// If compareFirst is true, the first attempt checks whether the second store has the copy already, perhaps
// from another process. From then on, every second attempt does.
func (s *stores) equalize(ctx context.Context, key string, compareFirst bool) (removed bool, err error) {
	for range rounds {
		removedNow, err := s.equalizeOnce(ctx, key, compareFirst)
		removed = removed || removedNow
		if !errors.Is(err, errAgain) {
			return removed, err
		}
		compareFirst = !compareFirst
	}
	return removed, unavailable(errors.New("others wrote the object again and again"))
}

// equalizeOnce tries once to make the second store equal to the primary for a key, and fails with
// errAgain if the stores may still differ. If compareFirst is true, it leaves a copy that the second
// store already has.
func (s *stores) equalizeOnce(ctx context.Context, key string, compareFirst bool) (removed bool, err error) {
	secondAttrs, err := askSecond(ctx, s, func(ctx context.Context) (*storage.Attrs, error) {
		return attrsOf(ctx, s.second.Bucket, key)
	})
	if err != nil {
		return false, err
	}
	primaryAttrs, err := attrsOf(ctx, s.primary, key)
	if err != nil {
		return false, err
	}

	if primaryAttrs == nil && secondAttrs == nil {
		return false, nil
	}
	if primaryAttrs == nil {
		return s.removeSecond(ctx, key, secondAttrs)
	}
	if compareFirst && s.isCopy(ctx, primaryAttrs, secondAttrs) {
		return false, s.verify(ctx, primaryAttrs, secondAttrs)
	}
	copied, err := s.copy(ctx, primaryAttrs, secondAttrs)
	if err != nil {
		return false, err
	}
	return false, s.verify(ctx, primaryAttrs, copied)
}

// isCopy reports whether an object of the second store is known to be a copy of one of the primary.
// Equal revisions prove nothing, because S3 gives them to objects with equal content.
func (s *stores) isCopy(ctx context.Context, primaryAttrs, secondAttrs *storage.Attrs) bool {
	if secondAttrs == nil || !revisions.SameProperties(&primaryAttrs.Properties, &secondAttrs.Properties) {
		return false
	}

	copied, err := askSecond(ctx, s, func(ctx context.Context) (*storage.Attrs, error) {
		return s.findCopy(ctx, primaryAttrs.Key, s.second.Bare(primaryAttrs.Revision))
	})
	return err == nil && copied.Revision == secondAttrs.Revision
}

// attrsOf returns the attributes of an object, or nil if the object does not exist.
func attrsOf(ctx context.Context, b storage.Bucket, key string) (*storage.Attrs, error) {
	attrs, err := b.Attrs(ctx, key)
	if errors.Is(err, storage.ObjectNotFound) {
		return nil, nil
	}
	return attrs, err
}

// attrsOfBoth returns the attributes of the object in both stores, and nil for a store without the
// object.
func (s *stores) attrsOfBoth(ctx context.Context, key string) (primaryAttrs, secondAttrs *storage.Attrs, err error) {
	primaryAttrs, err = attrsOf(ctx, s.primary, key)
	if err != nil {
		return nil, nil, err
	}
	secondAttrs, err = attrsOf(ctx, s.second.Bucket, key)
	if err != nil {
		return nil, nil, err
	}
	return primaryAttrs, secondAttrs, nil
}

// removeSecond removes an object from the second store, because the primary lacks it. It then returns
// errAgain, so that the caller looks at both stores again: another process may have written the object
// meanwhile. It removes nothing if the second store has another revision now.
func (s *stores) removeSecond(ctx context.Context, key string, secondAttrs *storage.Attrs) (removed bool, err error) {
	var opts []storage.RemoveOption
	if storage.Supports(s.second.Bucket, storage.ConditionalRemove) {
		opts = append(opts, storage.IfRevision(secondAttrs.Revision))
	}

	_, err = askSecond(ctx, s, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.second.Bucket.Remove(ctx, key, opts...)
	})
	if errors.Is(err, storage.PreconditionFailed) {
		return false, errAgain
	}
	if err != nil {
		return false, err
	}
	return true, errAgain
}

// copy copies one revision of the primary to the second store, where it replaces the object with
// secondAttrs, if any. It fails with errAgain if either store has another object now.
func (s *stores) copy(ctx context.Context, primaryAttrs, secondAttrs *storage.Attrs) (*storage.Attrs, error) {
	copyRevision := func(ctx context.Context, alive func()) (*storage.Attrs, error) {
		return s.copyRevision(ctx, primaryAttrs, ifStill(secondAttrs), alive)
	}
	copied, err := callSecond(ctx, s, primaryAttrs.Size, copyRevision)
	// The second store may be unable to have the marker of a folder, which is empty.
	if secondAttrs == nil && otherstore.MayLeaveOut(primaryAttrs.Key, primaryAttrs.Size, err) {
		return nil, errLeftOut
	}
	switch storage.CodeOf(err) {
	case storage.PreconditionFailed, storage.Changed, storage.ObjectNotFound:
		return nil, errAgain
	}
	return copied, err
}

// copyRevision copies the revision in primaryAttrs from the primary to the second store, and calls alive
// whenever the copy makes progress. The write id of the copy names the copied revision.
func (s *stores) copyRevision(
	ctx context.Context, primaryAttrs *storage.Attrs, condition storage.CopyOption, alive func(),
) (*storage.Attrs, error) {
	// s.source reads the revision in the context, even if the primary gets a newer one.
	ctx = context.WithValue(ctx, pinKey{}, s.second.Bare(primaryAttrs.Revision))
	ctx = objectkey.AllowFolderMarker(driver.WithLayerMetadata(ctx))
	progress := storage.WithProgress(func(int64, int64) { alive() })
	return storage.Copy(ctx, s.second.Bucket, primaryAttrs.Key, s.source, primaryAttrs.Key,
		otherstore.NamedCopy(primaryAttrs.Revision), condition, progress)
}

// ifStill returns the condition that the destination of a copy still has the object with the given
// attributes, or still has none if attrs is nil.
func ifStill(attrs *storage.Attrs) storage.CopyOption {
	if attrs == nil {
		return storage.IfAbsent()
	}
	return storage.IfRevision(attrs.Revision)
}

// verify returns errAgain if the object or its tags in the primary have changed since they were copied.
func (s *stores) verify(ctx context.Context, primaryAttrs, secondAttrs *storage.Attrs) error {
	current, err := attrsOf(ctx, s.primary, primaryAttrs.Key)
	if err != nil {
		return err
	}
	if current == nil || current.Revision != primaryAttrs.Revision {
		return errAgain
	}
	if !revisions.SameProperties(&current.Properties, &primaryAttrs.Properties) {
		return errAgain
	}

	// Tags may differ although the revision is the same.
	hasTags := current.TagCount != 0 || secondAttrs.TagCount != 0
	if !hasTags {
		return nil
	}
	primaryTags, err := storage.Tags(ctx, s.primary, primaryAttrs.Key)
	if err != nil {
		return err
	}
	secondTags, err := askSecond(ctx, s, func(ctx context.Context) (map[string]string, error) {
		return storage.Tags(ctx, s.second.Bucket, primaryAttrs.Key)
	})
	if err != nil {
		return err
	}
	if !maps.Equal(primaryTags, secondTags) {
		return errAgain
	}
	return nil
}

// pinKey is the key of a context value, which is the revision to read.
type pinKey struct{}

// A pinned is a driver that reads the revision that the context names. If the object has another
// revision, the read fails.
type pinned struct{ driver.Driver }

// Get reads the revision that the context names.
func (p pinned) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	return p.Driver.Get(ctx, pin(ctx, r))
}

// Head describes the revision that the context names.
func (p pinned) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	return p.Driver.Head(ctx, pin(ctx, r))
}

// Locate returns the zero reference, so that copies go through the process. A copy on the server
// would show no progress.
func (p pinned) Locate(string) driver.ObjectRef { return driver.ObjectRef{} }

// pin returns a copy of r whose condition is the revision that the context names. Without one, the copy
// has no condition.
func pin(ctx context.Context, r *driver.GetRequest) *driver.GetRequest {
	req := *r
	req.Condition.Revision, _ = ctx.Value(pinKey{}).(string)
	return &req
}
