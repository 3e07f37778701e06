// Package overlay makes one bucket of two stores while a system moves from the old one to the new
// one, without a stop.
//
//	old, err := storage.Open(ctx, "file:///srv/photos")
//	layer, err := overlay.New(old, overlay.Config{})
//	bucket, err := storage.Open(ctx, "s3://photos?region=eu-west-1", driver.WithLayer(layer))
//	report, err := overlay.Finish(ctx, bucket, overlay.FinishConfig{})
//
// When Finish has ended, only the new store is needed: see [Config.NewOnly].
//
// Every write goes to the new store, the one with the layer. Reads look there, and then in the old
// store. Listings have the objects of both. Conditions hold for both together: [storage.IfAbsent]
// fails if either store has the key, and a revision of the old store names its copy, too. [Finish] copies what only the
// old store has, while readers and writers go on.
//
// All writers must use the overlay: a write straight to the old store is not seen if the new one has
// the key.
//
// # How an object moves
//
// A marker is a small object with the key in the new store. One kind says that the object is being copied: readers
// look in the old store. The other kind says that the object is being removed: readers find none. A copy replaces its
// own marker and nothing else, by a condition. So it never replaces a newer write, and never brings back an object
// that was removed. A marker that a killed process left means the same until a write, a removal or [Finish] ends it.
//
// # Public objects
//
// Objects that are public in the old store are private in the bucket from the first day, and so are their copies: no
// store tells a driver which objects are public. If all are, open a new store that is public as a whole. Else make
// them public again when [Finish] has ended, by a copy of each onto itself with [storage.WithPublicRead].
//
// # What is Unsupported
//
// Versions, locks, Restore, Compose, and IfAbsent on a signed upload are Unsupported, because no single store can
// judge them. Copies move through the program.
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
	// CopyOnRead copies an object of the old store before a download of the whole object from the
	// start. Reads of ranges do not copy.
	CopyOnRead bool
	// KeepOld leaves the old store as it is: opened by itself, it is the way back. A removal puts a tombstone
	// below [TombstonesPrefix] into the new store, which the bucket does not show, and SetTags copies the object
	// first. All processes must agree on it. Removing a key that the new store cannot have fails.
	KeepOld bool
	// NewOnly reads only the new store, and still removes from both. Set it when [Finish] has ended, in one process
	// after the other, and take the layer away when all have it. Else an object that a process without the layer
	// removes is seen again, and copied, by those that have the layer.
	NewOnly bool
}

// New returns a layer for the new store. Close old after the bucket.
//
// If the new store lacks [storage.ConditionalCreate], [storage.ConditionalUpdate] or [storage.Metadata], every call of
// the bucket fails with Unsupported.
//
// New fails with InvalidArgument if old is nil. If old is known to be the bucket of the new store, a folder of it, or a
// directory around or in it ([driver.Overlap]), every call of the bucket fails with InvalidArgument.
func New(old storage.Bucket, c Config) (driver.Layer, error) {
	if old == nil {
		return nil, &storage.Error{
			Code: storage.InvalidArgument, Op: "overlay.New", Err: errors.New("old must not be nil"),
		}
	}
	return func(d driver.Driver) driver.Driver {
		desc := d.Describe()
		if desc.Features&otherstore.Needed != otherstore.Needed {
			return otherstore.Refuse(d, otherstore.ErrNeeds("the new store of an overlay"))
		}
		s := &stores{driver: d, new: engine.New(d), removes: old, config: c, desc: desc}
		s.old = otherstore.Store{Bucket: old, Tag: "old:", Own: desc, ID: otherstore.Identity(old)}
		if err := s.old.Refused("overlay"); err != nil {
			return otherstore.Refuse(d, err)
		}
		if otherstore.Overlaps(d, old) {
			return otherstore.Refuse(d, &storage.Error{
				Code: storage.InvalidArgument,
				Err:  errors.New("the two stores of an overlay must not be the same bucket, nor one in the other"),
			})
		}
		s.pair = serving.Place(engine.New(d)) + "-" + serving.Place(old)
		if c.NewOnly {
			s.old.ID = "new only " + s.old.ID
			s.old.Bucket = engine.New(emptyDriver{otherstore.Refuse(d, storage.ObjectNotFound)})
		}
		return otherstore.Calls(&objectDriver{d, s})
	}, nil
}

// An objectDriver is the new store with the old one below it.
type objectDriver struct {
	driver.Driver
	stores *stores
}

// The stores are the two stores of an overlay, for the driver and for [Finish].
type stores struct {
	driver  driver.Driver  // driver of the new store
	new     storage.Bucket // the new store, without the layer
	old     otherstore.Store
	removes storage.Bucket // the old store, also with NewOnly
	config  Config
	desc    driver.Description // description of the new store
	pair    string             // names the new and the old store in every process
}

func (d *objectDriver) Describe() driver.Description {
	desc := d.stores.old.Describe(storage.LeadingSlashes)
	desc.Features &^= storage.SignedIfAbsent // such a condition would hold in one store only
	desc.PublicBaseURL = ""
	desc.Places = otherstore.Store{Bucket: d.stores.removes}.Places(d.Driver) // also with NewOnly, the old store counts
	return desc
}

// Native returns the driver itself, for [Finish] and [Left]: a client of the new store would not see
// the old one.
func (d *objectDriver) Native() any { return d }

// Locate returns nowhere for copies on the server: an object may be in the old store.
func (d *objectDriver) Locate(string) driver.ObjectRef { return driver.ObjectRef{} }
