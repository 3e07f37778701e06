// Package otherstore has the parts that layers with a second store share, such as overlay and
// mirror. It reads that store.
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
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/revisions"
	"github.com/omnibucket/storage/internal/serving"
)

// A layer such as a mirror has two stores: its own store, which is the driver below the layer, and
// the other store, which is a bucket. A Store is the other store. Its methods return attributes and
// revisions in the form of the layer's own store.
type Store struct {
	Bucket storage.Bucket
	Tag    string             // prefix of the revisions of its objects
	Own    driver.Description // description of the layer's own store
	ID     string             // the text that Identity returns
}

// Identity returns a text that identifies the other store of a layer. For an unknown store it is
// random, so that the data of one store are never taken for those of another.
func Identity(b storage.Bucket) string {
	if identity, ok := serving.Identity(b); ok {
		return identity
	}
	return "unknown " + rand.Text()
}

// Needed are the features that a store must have if a layer copies to it: conditional writes, and
// metadata, which holds the id of a write.
const Needed = storage.ConditionalCreate | storage.ConditionalUpdate | storage.Metadata

// FailedOver is the ReplicationStatus of an object that a mirror has read from its second
// store.
const FailedOver = "mirror: second store"

// ErrNeeds returns the error for a store, such as "the new store of an overlay", that lacks a feature
// of [Needed].
func ErrNeeds(store string) error {
	return &storage.Error{
		Code: storage.Unsupported,
		Err:  errors.New(store + " needs IfAbsent, IfRevision and metadata"),
		Hint: "name the kind of an S3 server, such as profile=minio, or choose a store that has them: docs/support.md",
	}
}

// withheld has the features that a layer over two stores does not offer, because one store cannot
// provide them for the objects of both.
const withheld = storage.Versioning | storage.SoftDelete | storage.ObjectLock | storage.SignedLocks | storage.Restoring |
	storage.ServerCopy | storage.ServerCompose | storage.ServerAppend | storage.ServerMove | storage.Vending

// Refuse returns a driver whose every call fails with err.
func Refuse(d driver.Driver, err error) driver.Driver {
	return driver.Intercept(d, func(context.Context, string, func(context.Context) error) error { return err })
}

// Calls returns a driver that changes the errors of the other bucket. An error of the other bucket
// names an operation that the user has not called. Calls removes the name of the operation from the
// error. The changed error only names the bucket.
func Calls(d driver.Driver) driver.Driver {
	return driver.Intercept(d, func(ctx context.Context, _ string, next func(context.Context) error) error {
		return withoutOp(next(ctx))
	})
}

// withoutOp puts the name of the bucket into an error in place of its operation. An error without an
// operation stays as it is.
func withoutOp(err error) error {
	storageErr, ok := errors.AsType[*storage.Error](err)
	if !ok || storageErr.Op == "" {
		return err
	}
	clone := *storageErr
	clone.Op = ""
	// The text names the other bucket. A second *storage.Error would be wrong, because an error must
	// have only one Code.
	where := fmt.Sprintf("in %s bucket %q", storageErr.Provider, storageErr.Bucket)
	clone.Err = errors.New(where)
	if storageErr.Err != nil {
		clone.Err = fmt.Errorf("%s: %w", where, storageErr.Err)
	}
	return &clone
}

// Overlaps reports whether another bucket is known to share objects with the layer's own store. The
// two buckets share objects if they are the same bucket, or if one is a folder of the other. If the
// layer used a bucket that shares objects, removing an object from one store would also remove it
// from the other store.
func Overlaps(d driver.Driver, other storage.Bucket) bool {
	return driver.Overlap(other, engine.New(d))
}

// Places returns a function that returns where the objects of a layer are. They are in the layer's
// own store and in the other store. d is the driver of the layer's own store.
func (s Store) Places(d driver.Driver) func() []driver.Place {
	return func() []driver.Place { return slices.Concat(driver.PlacesOf(d), driver.Places(s.Bucket)) }
}

// Refused returns an error if the new layer must not be used over the layers below it. It refuses
// two layers of one kind, because each would take the revisions and keys of the other for its own.
// It also refuses two layers with the same other store, because one layer would fill the store
// while the other layer empties it. It refuses a store without [storage.OrderedListing], because a
// layer merges or continues the listings of both stores by their keys. In all other cases, Refused
// returns nil.
func (s Store) Refused(kind string) error {
	// Stack has a word for each layer below. That of a layer with another store is its tag and the ID of
	// that store, such as "old:ID" or "old:new only ID" (see Describe).
	for _, layerBelow := range s.Own.Stack {
		isSameKind := strings.HasPrefix(layerBelow, s.Tag)
		if isSameKind {
			return &storage.Error{
				Code: storage.InvalidArgument,
				Err:  errors.New("a bucket must not have two layers " + kind),
				Hint: "give the second one to the other store, which may have layers of its own",
			}
		}
		hasSameStore := strings.HasSuffix(layerBelow, ":"+s.ID) || strings.HasSuffix(layerBelow, " "+s.ID)
		if hasSameStore {
			return &storage.Error{
				Code: storage.InvalidArgument,
				Err:  errors.New("the other stores of two layers of a bucket must not be the same store"),
				Hint: "name another store in one of the layers mirror and overlay, or remove one of them",
			}
		}
	}
	if !s.listsInOrder() {
		return &storage.Error{
			Code: storage.Unsupported,
			Err:  errors.New("both stores of the layer " + kind + " must list in byte order"),
			Hint: "choose stores with the feature OrderedListing: docs/support.md",
		}
	}
	return nil
}

// listsInOrder reports whether both stores can list in byte order. If every call of the other
// bucket fails, it also returns true, so that the caller gets the error of that bucket.
func (s Store) listsInOrder() bool {
	ownInOrder := s.Own.FolderOrder || s.Own.Features&storage.OrderedListing != 0
	return ownInOrder && storage.CodeOf(storage.Require(s.Bucket, storage.OrderedListing)) != storage.Unsupported
}

// Describe returns the description of a layer over two stores. The layer has the features of its
// own store, with two exceptions:
//   - The layer does not have the features in the constant withheld.
//   - The layer has stored checksums, object tags and the given features only if the other
//     store also has them.
//
// Options to keep versions or removed objects still apply to the layer's own store.
func (s Store) Describe(extra storage.Features) driver.Description {
	desc := s.Own
	desc.Features &^= withheld
	for _, f := range [...]storage.Features{extra, storage.StoredChecksums, storage.ObjectTags} {
		if !storage.Supports(s.Bucket, f) {
			desc.Features &^= f
		}
	}
	desc.Versioned = false
	desc.CopiesWithoutAttrs = false // a copy reads the object through the layer
	desc.MaxBatch = 0               // each removal must also change the other store
	acceptVersionOptions(&desc, s.Own.Features)

	// The layer reads pages of buckets, which are in byte order: the engine sorts those of a driver
	// that declares FolderOrder.
	desc.Features |= storage.OrderedListing
	desc.StartsAfter = nil
	desc.FolderOrder = false
	desc.FolderPrefixes = false
	desc.TokenAfterLast = true
	desc.Stack = append(slices.Clip(desc.Stack), s.Tag+s.ID)
	return desc
}

// acceptVersionOptions makes the options to keep versions or removed objects succeed, if the layer's own
// store has the given features. Such a store keeps them by its own setting, so there is nothing to enable.
func acceptVersionOptions(desc *driver.Description, own storage.Features) {
	if desc.EnableVersions == nil && own&storage.Versioning != 0 {
		desc.EnableVersions = func() {}
	}
	if desc.EnableSoftDelete == nil && own&storage.SoftDelete != 0 {
		desc.EnableSoftDelete = func(time.Duration) {}
	}
	if desc.EnableObjectLock == nil && own&storage.ObjectLock != 0 {
		desc.EnableObjectLock = func() {}
	}
}

// Bare turns a revision of the layer's own store, as the engine shows it, into the form that its driver
// expects, without the provider's name.
func (s Store) Bare(revision string) string {
	if s.Own.TaggedRevisions {
		return revision
	}
	return strings.TrimPrefix(revision, s.Own.Provider+":")
}

// Public turns a revision of the layer's own store, as its driver returns it, into the form that the
// engine shows, which begins with the provider's name.
func (s Store) Public(revision string) string {
	if s.Own.TaggedRevisions {
		return revision
	}
	return s.Own.Provider + ":" + revision
}

// Revision marks a revision of the other store with the name of that store, which Cut removes again.
func (s Store) Revision(revision string) string {
	if revision == "" {
		return ""
	}
	return s.tag() + revision
}

// tag returns what the revisions of the other store begin with.
func (s Store) tag() string {
	if s.Own.TaggedRevisions {
		return s.Own.Provider + ":" + s.Tag
	}
	return s.Tag
}

// BareEntries removes the provider's name from the revision of each entry. The entries must be from
// the layer's own store.
func (s Store) BareEntries(entries []storage.ListEntry) {
	for i := range entries {
		entries[i].Revision = s.Bare(entries[i].Revision)
	}
}

// TagEntries adds the name of the other store to the revision of each entry. The entries must be
// from the other store.
func (s Store) TagEntries(entries []storage.ListEntry) { revisions.AddTag(s.tag(), entries) }

// Cut removes the name of the other store from a revision, and reports whether it was there.
func (s Store) Cut(revision string) (string, bool) {
	if s.Own.TaggedRevisions {
		revision = strings.TrimPrefix(revision, s.Own.Provider+":")
	}
	return strings.CutPrefix(revision, s.Tag)
}

// Has reports whether a revision has the name of the other store.
func (s Store) Has(revision string) bool {
	_, has := s.Cut(revision)
	return has
}

// Condition returns the read option for a condition on a revision of the other store, or nil if c has
// none.
func (s Store) Condition(c storage.Condition) storage.ReadOption {
	if revision, ok := s.Cut(c.Revision); ok {
		return storage.IfRevision(revision)
	}
	if revision, ok := s.Cut(c.NotRevision); ok {
		return storage.IfRevisionNot(revision)
	}
	return nil
}

// ForOwn returns the request for the layer's own store. No object there has a revision of the other store,
// so a condition that excludes such a revision is left out.
func (s Store) ForOwn(r *driver.GetRequest) *driver.GetRequest {
	if !s.Has(r.Condition.NotRevision) {
		return r
	}
	req := *r
	req.Condition = storage.Condition{}
	return &req
}

// CopyID returns the write id of a copy that a layer makes. The write id tells which revision was
// copied. It is that revision, as the source bucket returned it.
func CopyID(revision string) string {
	sum := sha256.Sum256([]byte(revision))
	return hex.EncodeToString(sum[:16])
}

// MayLeaveOut reports whether a copy may leave out an object that a store has refused with err. It may
// leave out only the marker of a folder, which has no content and which stores such as directories
// cannot have.
func MayLeaveOut(key string, size int64, err error) bool {
	if size != 0 || !objectkey.IsFolderMarker(key) {
		return false
	}
	return errors.Is(err, storage.InvalidArgument) || errors.Is(err, storage.Unsupported)
}

// NamedCopy returns a copy option. The option sets the write id of the copy to the result of
// CopyID.
func NamedCopy(revision string) storage.CopyOption {
	return storage.WithWriteID(CopyID(revision))
}

// attrs returns attributes of the other store in the form in which a driver returns them.
func (s Store) attrs(attrs *storage.Attrs) *storage.Attrs {
	clone := *attrs
	clone.Version = ""
	clone.Native = nil
	clone.Revision = s.Revision(attrs.Revision)
	// If ASCIIMetadata is set, the engine decodes the values. They must therefore be encoded here.
	if s.Own.ASCIIMetadata && len(attrs.Metadata) > 0 {
		clone.Metadata = make(map[string]string, len(attrs.Metadata))
		for name, value := range attrs.Metadata {
			clone.Metadata[name] = metadata.EncodeValue(value)
		}
	}
	return &clone
}

// contextOf returns the context for a read of the other store, whose attributes then include the
// metadata of layers. If a write depends on the read, it must not come from a second store, which may
// have an older object.
func contextOf(ctx context.Context, r *driver.GetRequest) context.Context {
	if r.Auxiliary {
		ctx = driver.WithoutFailover(ctx)
	}
	return driver.WithLayerMetadata(ctx)
}

// Get reads the range in r from the other store. The given condition, which may be nil, takes the place
// of the condition in r.
func (s Store) Get(
	ctx context.Context, r *driver.GetRequest, condition storage.ReadOption,
) (*storage.Attrs, io.ReadCloser, error) {
	var opts []storage.DownloadOption
	if condition != nil {
		opts = append(opts, condition)
	}
	if r.Suffix > 0 {
		// A negative offset counts from the end of the object.
		opts = append(opts, storage.WithRange(-r.Suffix, -1))
	} else if r.Offset > 0 || r.Length >= 0 {
		opts = append(opts, storage.WithRange(r.Offset, r.Length))
	}
	reader, err := s.Bucket.Download(contextOf(ctx, r), r.Key, opts...)
	if err != nil {
		return nil, nil, err
	}
	return s.attrs(reader.Attrs()), reader, nil
}

// Head reads the attributes of an object in the other store. The given condition, which may be nil,
// takes the place of the condition in r.
func (s Store) Head(ctx context.Context, r *driver.GetRequest, condition storage.ReadOption) (*storage.Attrs, error) {
	var opts []storage.AttrsOption
	if condition != nil {
		opts = append(opts, condition)
	}
	attrs, err := s.Bucket.Attrs(contextOf(ctx, r), r.Key, opts...)
	if err != nil {
		return nil, err
	}
	return s.attrs(attrs), nil
}

// ListPage returns a page of b, which is either of the two stores. The page is the one of the token or,
// without a token, the one after the key start.
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

// Hides reports whether a layer hides the entry e of b. It hides its own objects, whose keys begin with
// reservedPrefix, and a common prefix that has nothing else below it. endKey sorts after all hidden
// keys.
func Hides(ctx context.Context, b storage.Bucket, e storage.ListEntry, reservedPrefix, endKey string) (bool, error) {
	containsReserved := e.IsPrefix && strings.HasPrefix(reservedPrefix, e.Key)
	if !containsReserved {
		return strings.HasPrefix(e.Key, reservedPrefix), nil
	}

	// The common prefix is hidden if all keys below it are. These may be many, so list only the first key, and the
	// first key after the hidden ones. If both are hidden or missing, there is no other key.
	for _, startAfter := range [...]string{"", endKey} {
		below := b.List(ctx, storage.WithPrefix(e.Key), storage.WithStartAfter(startAfter), storage.WithLimit(1))
		for first, err := range below {
			if err != nil {
				return false, err
			}
			if !strings.HasPrefix(first.Key, reservedPrefix) {
				return false, nil
			}
		}
	}
	return true, nil
}

// Without returns the entries of a listing except those whose keys the layer hides.
func Without(
	entries iter.Seq2[storage.ListEntry, error], hides func(key string) bool,
) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for entry, err := range entries {
			if !hides(entry.Key) && !yield(entry, err) {
				return
			}
		}
	}
}
