// Package overlay makes one bucket of two stores. It lets a system move from an old store to a new
// one without downtime.
//
//	old, err := storage.Open(ctx, "file:///srv/photos")
//	layer, err := overlay.New(old, overlay.Config{})
//	bucket, err := storage.Open(ctx, "s3://photos?region=eu-west-1", driver.WithLayer(layer))
//	report, err := overlay.Finish(ctx, bucket, overlay.FinishConfig{})
//
// When Finish has ended, only the new store is needed: see [Config.NewOnly].
//
// Every write goes to the new store, the one with the layer. Reads look in the new store first, and
// then in the old one. Listings have the objects of both stores. Conditions hold for both together:
// [storage.IfAbsent] fails if either store has the key, and a revision of the old store names its
// copy, too. [Finish] copies the objects that only the old store has, while readers and writers
// continue.
//
// All writers must use the overlay. If a program writes directly to the old store, readers do not
// see the object if the new store has the key.
//
// # How an object moves
//
// A marker is a small object that takes the place of an object in the new store. One kind says that
// the object is being copied: readers look in the old store. The other kind says that the object is
// being removed: readers find none. A copy replaces its own marker and nothing else, by a
// condition. So it never replaces a newer write, and never brings back an object that was removed.
// If a process is killed, its marker stays in effect until a write, a removal or [Finish] ends it.
//
// # Public objects
//
// Objects that are public in the old store are private in the bucket from the first day, and so are
// their copies: no store tells a driver which objects are public. If all objects are public, open a
// new store that is public as a whole. If only some are, make these public again when [Finish] has
// ended, by a copy of each onto itself with [storage.WithPublicRead].
//
// # What is Unsupported
//
// Versions, locks, Restore, and IfAbsent on a signed upload are Unsupported, because no single store
// can do this for the objects of both. Copies move through the program, and so does Compose.
package overlay

import (
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// A Config sets up an overlay. The zero value has the defaults.
type Config struct {
	// CopyOnRead copies an object of the old store before a download of the whole object. Reads of
	// ranges do not copy the object.
	CopyOnRead bool
	// KeepOld leaves the old store as it is, so that the program can return to it. A removal puts a
	// tombstone into the new store, which marks the key as removed. Tombstones are below
	// [TombstonesPrefix], and the bucket does not show them. If the new store cannot have a key,
	// removing the key fails. SetTags first copies the object. All processes must have the same
	// KeepOld.
	KeepOld bool
	// NewOnly makes reads use only the new store. Removals still remove objects from both stores.
	// When [Finish] has ended, set NewOnly in one process after the other. When all processes have
	// NewOnly, remove the layer. If you remove the layer too early, a removal without the layer
	// leaves the object in the old store. A process that still reads both stores sees that object
	// again, and copies it.
	NewOnly bool
}

// New returns a layer for the new store. The bucket that uses the layer must be closed before the old
// store.
//
// If the new store lacks [storage.ConditionalCreate], [storage.ConditionalUpdate] or
// [storage.Metadata], or if one of the stores lacks [storage.OrderedListing], every call of the bucket
// fails with Unsupported.
//
// New fails with InvalidArgument if the old store is nil. Every call of the bucket fails with
// InvalidArgument in two cases:
//
//   - The two stores are known to be the same bucket, or one is known to lie inside the other
//     ([driver.Overlap]).
//   - The new store has the layer readonly. An overlay must be below that layer.
func New(old storage.Bucket, c Config) (driver.Layer, error) {
	if old == nil {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "overlay.New",
			Err:  errors.New("old must not be nil"),
		}
	}
	return func(d driver.Driver) driver.Driver { return newDriver(d, old, c) }, nil
}

// newDriver returns the driver of an overlay over d, the driver of the new store. If the two stores cannot
// form an overlay, every call of the result fails.
func newDriver(d driver.Driver, old storage.Bucket, c Config) driver.Driver {
	desc := d.Describe()
	// Revisions of the old store get the tag as a prefix, which shows where they are from.
	oldStore := otherstore.Store{Bucket: old, Tag: "old:", Own: desc, ID: otherstore.Identity(old)}
	if err := checkStores(d, oldStore); err != nil {
		return otherstore.Refuse(d, err)
	}

	// With NewOnly, reads find an empty bucket in the place of the old store, whose ID stays in the description.
	if c.NewOnly {
		oldStore.ID = "new only " + oldStore.ID
		oldStore.Bucket = engine.New(emptyDriver{otherstore.Refuse(d, storage.ObjectNotFound)})
	}
	return otherstore.Calls(&objectDriver{d, &stores{
		driver:    d,
		new:       engine.New(d),
		old:       oldStore,
		oldBucket: old,
		config:    c,
		desc:      desc,
		pair:      serving.PlaceID(engine.New(d)) + "-" + serving.PlaceID(old),
	}})
}

// checkStores fails if the new store, whose driver is d, and the old one cannot form an overlay.
func checkStores(d driver.Driver, old otherstore.Store) error {
	if old.Own.Features&otherstore.Needed != otherstore.Needed {
		return otherstore.ErrNeeds("the new store of an overlay")
	}
	if old.Own.ReadOnly {
		return &storage.Error{
			Code: storage.InvalidArgument,
			Err:  errors.New("the layer readonly must not be below an overlay: the overlay would change its old store"),
			Hint: "make readonly the outer layer, after overlay",
		}
	}
	if err := old.Refused("overlay"); err != nil {
		return err
	}
	if otherstore.Overlaps(d, old.Bucket) {
		return &storage.Error{
			Code: storage.InvalidArgument,
			Err:  errors.New("the two stores of an overlay must not be the same bucket, nor one in the other"),
		}
	}
	return nil
}

// An objectDriver is the driver of a bucket that an overlay makes of the new store and the old one.
type objectDriver struct {
	driver.Driver
	stores *stores
}

// A stores has the two stores of an overlay. The driver and [Finish] use it.
type stores struct {
	driver    driver.Driver  // driver of the new store
	new       storage.Bucket // the new store, without the layer
	old       otherstore.Store
	oldBucket storage.Bucket // the old store itself, even with NewOnly, with which old has an empty bucket
	config    Config
	desc      driver.Description // description of the new store
	pair      string             // text that identifies both stores, the same in every process
}

// Describe returns the features that both stores have, without those that would bypass a marker or the
// old store.
func (d *objectDriver) Describe() driver.Description {
	desc := d.stores.old.Describe(storage.LeadingSlashes)
	desc.Features &^= storage.SignedIfAbsent // such a condition would only hold in one of the stores
	desc.Features &^= storage.SignedRemovals // after the removal, readers would see the old store's object
	desc.PublicBaseURL = ""

	// With NewOnly, the old store is still one of the places, because removals use it.
	desc.Places = otherstore.Store{Bucket: d.stores.oldBucket}.Places(d.Driver)
	return desc
}

// Native returns the driver itself, which [Finish] and [Left] need. It returns no client of the new
// store, because such a client would not see the old store.
func (d *objectDriver) Native() any { return d }

// Locate returns the zero reference, so that no copy is made on the server. The object may be in the old store.
func (d *objectDriver) Locate(string) driver.ObjectRef { return driver.ObjectRef{} }
