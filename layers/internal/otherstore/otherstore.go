// Package otherstore reads the store that a layer has beside its own.
package otherstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/markerkey"
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/internal/serving"
)

// A Store is the other store of a layer. Its methods return attributes and revisions as the driver of the own
// store would.
type Store struct {
	Bucket storage.Bucket
	Tag    string             // text with which the revisions of its objects begin
	Own    driver.Description // description of the layer's own store
	ID     string             // the result of Identity
}

// Identity returns a text that distinguishes a bucket from others as the other store of a layer. If nothing is known
// of the bucket, the text is valid only as long as the layer, so that data kept under it is never taken for that of
// another bucket.
func Identity(b storage.Bucket) string {
	if identity, known := serving.Identity(b); known {
		return identity
	}
	return "unknown " + rand.Text()
}

// Needed are the features that a store must have to which a layer copies: writes by a condition, and a write id.
const Needed = storage.ConditionalCreate | storage.ConditionalUpdate | storage.Metadata

// FailedOver is the ReplicationStatus of an object that a mirror has read from its second
// store.
const FailedOver = "mirror: second store"

// ErrNeeds returns the error of a layer whose store, such as "the new store of an overlay", lacks a feature of
// [Needed].
func ErrNeeds(store string) error {
	return &storage.Error{
		Code: storage.Unsupported, Err: errors.New(store + " needs IfAbsent, IfRevision and metadata"),
		Hint: "name the kind of an S3 server, such as profile=minio, or choose a store that has them: docs/support.md",
	}
}

// withheld are the features that one store cannot keep for both.
const withheld = storage.Versioning | storage.SoftDelete | storage.ObjectLock | storage.SignedLocks | storage.Restoring |
	storage.ServerCopy | storage.ServerCompose | storage.ServerAppend | storage.ServerMove

// Refuse returns a driver whose every call fails with err.
func Refuse(d driver.Driver, err error) driver.Driver {
	return driver.Intercept(d, func(context.Context, string, func(context.Context) error) error { return err })
}

// Calls returns the driver of a layer whose errors name the call, and not the operation that failed in another
// bucket.
func Calls(d driver.Driver) driver.Driver {
	return driver.Intercept(d, func(ctx context.Context, _ string, next func(context.Context) error) error {
		err := next(ctx)
		if e, ok := errors.AsType[*storage.Error](err); ok && e.Op != "" {
			own, where := *e, fmt.Sprintf("in %s bucket %q", e.Provider, e.Bucket)
			if own.Op, own.Err = "", errors.New(where); e.Err != nil { // not an *Error, because an error has one Code
				own.Err = fmt.Errorf("%s: %w", where, e.Err)
			}
			return &own
		}
		return err
	})
}

// Overlaps reports whether the other bucket is known to be that of the layer's own store, a folder of it, or a
// directory around it. A removal from one of them would then remove the object of both, and each copy would
// cause another copy.
func Overlaps(d driver.Driver, other storage.Bucket) bool {
	return driver.Overlap(other, engine.New(d))
}

// Places returns the function that tells where the objects of a layer are: in its own store, whose driver is own,
// and in the other one.
func (s Store) Places(own driver.Driver) func() []driver.Place {
	return func() []driver.Place { return slices.Concat(driver.PlacesOf(own), driver.Places(s.Bucket)) }
}

// Refused returns the error of a layer of two stores if a layer below it is of the same kind, or has the same other
// store; otherwise nil. Two layers of one kind would take each other's revisions and keys for their own. If they had
// the same store, one would empty it and the other fill it.
func (s Store) Refused(kind string) error {
	for _, word := range s.Own.Stack {
		switch {
		case strings.HasPrefix(word, s.Tag):
			return &storage.Error{
				Code: storage.InvalidArgument, Err: errors.New("a bucket must not have two layers " + kind),
				Hint: "give the second one to the other store, which may have layers of its own",
			}
		case strings.HasSuffix(word, ":"+s.ID), strings.HasSuffix(word, " "+s.ID):
			return &storage.Error{
				Code: storage.InvalidArgument,
				Err:  errors.New("the other stores of two layers of a bucket must not be the same store"),
				Hint: "name another store in one of the layers mirror and overlay, or remove one of them",
			}
		}
	}
	return nil
}

// Describe returns the description of the own store without the features that one store cannot keep for both, and
// without checksums, tags and the features "also" if the other store lacks them. The own store still keeps
// versions and removed objects if it is opened so.
func (s Store) Describe(also storage.Features) driver.Description {
	desc := s.Own
	desc.Features &^= withheld
	for _, f := range [...]storage.Features{also, storage.StoredChecksums, storage.ObjectTags} {
		if !storage.Supports(s.Bucket, f) {
			desc.Features &^= f
		}
	}
	desc.Versioned, desc.CopiesWithoutAttrs, desc.MaxBatch = false, false, 0
	if desc.EnableVersions == nil && s.Own.Features&storage.Versioning != 0 { // the store decides itself
		desc.EnableVersions = func() {}
	}
	if desc.EnableSoftDelete == nil && s.Own.Features&storage.SoftDelete != 0 {
		desc.EnableSoftDelete = func(time.Duration) {}
	}
	if desc.EnableObjectLock == nil && s.Own.Features&storage.ObjectLock != 0 {
		desc.EnableObjectLock = func() {}
	}
	desc.StartsAfter, desc.FolderOrder, desc.FolderPrefixes = nil, false, false
	desc.TokenAfterLast = true
	desc.Stack = append(slices.Clip(desc.Stack), s.Tag+s.ID)
	return desc
}

// Bare returns a revision of the own store's bucket as its driver has it.
func (s Store) Bare(revision string) string {
	if s.Own.TaggedRevisions {
		return revision
	}
	return strings.TrimPrefix(revision, s.Own.Provider+":")
}

// Public undoes Bare.
func (s Store) Public(revision string) string {
	if s.Own.TaggedRevisions {
		return revision
	}
	return s.Own.Provider + ":" + revision
}

// Revision returns a revision of the other store, which then names that store.
func (s Store) Revision(revision string) string {
	switch {
	case revision == "":
		return ""
	case s.Own.TaggedRevisions:
		return s.Own.Provider + ":" + s.Tag + revision
	}
	return s.Tag + revision
}

// Cut undoes Revision. It reports whether the revision names the other store.
func (s Store) Cut(revision string) (string, bool) {
	if s.Own.TaggedRevisions {
		revision = strings.TrimPrefix(revision, s.Own.Provider+":")
	}
	return strings.CutPrefix(revision, s.Tag)
}

// Has reports whether a revision names the other store.
func (s Store) Has(revision string) bool {
	_, has := s.Cut(revision)
	return has
}

// Condition returns the option for a condition that names a revision of the other store, or nil.
func (s Store) Condition(c storage.Condition) storage.ReadOption {
	if revision, has := s.Cut(c.Revision); has {
		return storage.IfRevision(revision)
	}
	if revision, has := s.Cut(c.NotRevision); has {
		return storage.IfRevisionNot(revision)
	}
	return nil
}

// ForOwn returns r as a read of the own store, in which no object has a revision of the other
// store.
func (s Store) ForOwn(r *driver.GetRequest) *driver.GetRequest {
	if !s.Has(r.Condition.NotRevision) {
		return r
	}
	own := *r
	own.Condition = storage.Condition{}
	return &own
}

// CopyID returns the write id of the copy of a revision, which is the public revision of the store
// that was read.
func CopyID(revision string) string {
	sum := sha256.Sum256([]byte(revision))
	return hex.EncodeToString(sum[:16])
}

// NeedsNo reports whether a store that refused an object with err does not need it. That is so if
// the object is the marker of a folder, without content, whose key the store cannot have, as a directory cannot.
func NeedsNo(key string, size int64, err error) bool {
	if size != 0 || !markerkey.Is(key) {
		return false
	}
	return errors.Is(err, storage.InvalidArgument) || errors.Is(err, storage.Unsupported)
}

// NamedCopy returns the first option of a copy of a revision, which gives it its CopyID.
func NamedCopy(revision string) storage.CopyOption {
	return storage.CopyOptions{Transfer: storage.Transfer{WriteID: CopyID(revision)}}
}

// attrs returns attributes of the other store as those of a driver.
func (s Store) attrs(attrs *storage.Attrs) *storage.Attrs {
	own := *attrs
	own.Version, own.Native = "", nil
	own.Revision = s.Revision(attrs.Revision)
	if s.Own.ASCIIMetadata && len(attrs.Metadata) > 0 { // the core decodes it
		own.Metadata = make(map[string]string, len(attrs.Metadata))
		for name, value := range attrs.Metadata {
			own.Metadata[name] = metadata.EncodeValue(value)
		}
	}
	return &own
}

// Get reads the range that r names, if condition holds. The condition replaces that of r, and may be
// nil.
func (s Store) Get(
	ctx context.Context, r *driver.GetRequest, condition storage.ReadOption,
) (*storage.Attrs, io.ReadCloser, error) {
	var opts []storage.DownloadOption
	if condition != nil {
		opts = append(opts, condition)
	}
	switch {
	case r.Suffix > 0:
		opts = append(opts, storage.WithRange(-r.Suffix, -1))
	case r.Offset > 0 || r.Length >= 0:
		opts = append(opts, storage.WithRange(r.Offset, r.Length))
	}
	reader, err := s.Bucket.Download(driver.WithLayerMetadata(ctx), r.Key, opts...)
	if err != nil {
		return nil, nil, err
	}
	return s.attrs(reader.Attrs()), reader, nil
}

// Head is Get without a body.
func (s Store) Head(ctx context.Context, r *driver.GetRequest, condition storage.ReadOption) (*storage.Attrs, error) {
	var opts []storage.AttrsOption
	if condition != nil {
		opts = append(opts, condition)
	}
	attrs, err := s.Bucket.Attrs(driver.WithLayerMetadata(ctx), r.Key, opts...)
	if err != nil {
		return nil, err
	}
	return s.attrs(attrs), nil
}

// ListPage returns the page of b, either store, after a token. Without one, it begins after start.
func ListPage(
	ctx context.Context, b storage.Bucket, r *driver.ListRequest, token, start string,
) (*storage.Page, error) {
	opts := []storage.ListOption{storage.WithPrefix(r.Prefix), storage.WithPageSize(r.Limit)}
	if r.Delimiter != "" {
		opts = append(opts, storage.WithDelimiter(r.Delimiter))
	}
	if token == "" && start != "" {
		opts = append(opts, storage.WithStartAfter(start))
	}
	return storage.ListPage(ctx, b, token, opts...)
}

// Hides reports whether a layer that keeps objects below reserved in b hides an entry: a key below reserved, or
// a common prefix that has only such keys. past is a key that follows all of them.
func Hides(ctx context.Context, b storage.Bucket, e storage.ListEntry, reserved, past string) (bool, error) {
	if !e.IsPrefix || !strings.HasPrefix(reserved, e.Key) {
		return strings.HasPrefix(e.Key, reserved), nil
	}
	for _, start := range [...]string{"", past} { // reserved may have many keys
		below := b.List(ctx, storage.WithPrefix(e.Key), storage.WithStartAfter(start), storage.WithLimit(1))
		for first, err := range below {
			if err != nil || !strings.HasPrefix(first.Key, reserved) {
				return false, err
			}
		}
	}
	return true, nil
}

// Without leaves out the entries of keys that a layer hides.
func Without(all iter.Seq2[storage.ListEntry, error], hides func(key string) bool) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for e, err := range all {
			if !hides(e.Key) && !yield(e, err) {
				return
			}
		}
	}
}
