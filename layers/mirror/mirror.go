// Package mirror keeps each object in two stores, so that a program survives the loss of one.
//
//	second, err := storage.Open(ctx, "azblob://photos?account=acme")
//	layer, err := mirror.New(second, mirror.Config{})
//	bucket, err := storage.Open(ctx, "s3://photos?region=eu-west-1", driver.WithLayer(layer))
//	report, err := mirror.Repair(ctx, bucket)
//
// The bucket with the layer is the primary store. It decides conditions, the order of writes, and revisions.
// Reads go there, too. If the primary does not respond, reads use the second store: see [FailedOver]. Writes
// do not: while the primary cannot be written to, they fail with [storage.Unavailable].
//
// # Writes
//
// A write succeeds if the primary has it, and the second store has it or a note says that it may not.
// A note is a small object with a random name below [NotesPrefix] in the primary. Listings leave notes out.
// It is written before the write of the object and removed after the copy to the second store:
//
//  1. The note is put into the primary.
//  2. The primary writes or removes the object, as without the layer.
//  3. The object is copied from the primary to the second store, or removed there.
//  4. The note is removed.
//
// All notes are in the primary, because a write needs that store anyway. So there is no state in which notes
// of two stores contradict each other. A process that is killed before step 1 has done nothing. After each
// later step there is a note, and [Repair] does steps 3 and 4. Repair also does them if the second store was
// down, or a response was lost.
//
// The copy reads one revision of the primary. By a condition, it replaces only the object that the second
// store had when the copy began. Afterwards it looks whether the primary still has that revision, and begins
// again if not. So the last of several writers leaves both stores equal, whatever their order. Each writer has
// a note of its own: it never removes that of another one.
//
// [Repair] keeps a note that is younger than an hour, because its writer may be about to write. A request
// that takes longer, and whose process is killed before the copy, is found by [RepairAll].
//
// # What is Unsupported
//
// Versions, locks, Restore, Compose and options of one provider are Unsupported, because they have no
// equivalent in another store. Copies move through the program. Storage classes and public access are those of
// the primary only. A write past the layer, also by a signed upload, is copied by [Repair], as signing leaves
// a note, or by [RepairAll].
package mirror

import (
	"cmp"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// NotesPrefix begins the keys of notes in the primary. Writing such a key fails with
// InvalidArgument.
const NotesPrefix = ".omnibucket-mirror/"

// A Config sets up a mirror. The zero value has the defaults.
type Config struct {
	// Sync makes a write wait until the second store has it, too. If that fails, the error is
	// [storage.OutcomeUnknown]: the primary has the write, and a note.
	Sync bool
	// Stall is how long a store may take until it responds, by default 5 s, and until the next bytes of a
	// copy are sent. For each 16 MiB of the object it may take a second more. Then it counts as failed.
	Stall time.Duration
	// Probe is how long a store that has failed is left alone, by default 10 s: the primary after three failures in a
	// row, the second store after one. Then one request tries it again. If the deadlines of three calls in a row pass
	// while a store does not respond, that counts as a failure, too.
	Probe time.Duration
}

// New returns a layer for the primary store. Close second after the bucket.
//
// If the second store lacks [storage.ConditionalCreate], [storage.ConditionalUpdate] or [storage.Metadata], every call
// of the bucket fails with Unsupported.
//
// New fails with InvalidArgument if second is nil or not a bucket of this library, or if a duration is negative. If
// second is known to be the bucket of the primary, a folder of it, or a directory around or in it ([driver.Overlap]),
// every call of the bucket fails with InvalidArgument.
func New(second storage.Bucket, c Config) (driver.Layer, error) {
	switch {
	case !ofEngine(second): // the write id names the revision that was copied
		return nil, invalid("mirror.New", "second must be a bucket that was opened by this library")
	case c.Stall < 0 || c.Probe < 0:
		return nil, invalid("mirror.New", "Stall and Probe must not be negative")
	}
	c.Stall, c.Probe = cmp.Or(c.Stall, 5*time.Second), cmp.Or(c.Probe, 10*time.Second)
	return func(d driver.Driver) driver.Driver {
		if !storage.Supports(second, otherstore.Needed) {
			return otherstore.Refuse(d, otherstore.ErrNeeds("the second store of a mirror"))
		}
		other := otherstore.Store{Bucket: second, Tag: "second:", Own: d.Describe(), ID: otherstore.Identity(second)}
		if err := other.Refused("mirror"); err != nil {
			return otherstore.Refuse(d, err)
		}
		if otherstore.Overlaps(d, second) {
			return otherstore.Refuse(d, invalid("",
				"the two stores of a mirror must not be the same bucket, nor one in the other"))
		}
		return otherstore.Calls(&objectDriver{d, &stores{
			place: serving.Place(engine.New(d)), secondPlace: serving.Place(second),
			second: other, config: c,
			primary: engine.New(d), once: engine.New(d, storage.WithRetry(storage.RetryPolicy{Attempts: 1})),
			source:    engine.New(pinned{d}),
			ofPrimary: circuit{weight: 1, wait: c.Probe}, ofSecond: circuit{weight: opensAt, wait: c.Probe},
		}})
	}, nil
}

func invalid(op, text string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: op, Err: errors.New(text)}
}

// An objectDriver is the primary with the second store beside it.
type objectDriver struct {
	driver.Driver
	stores *stores
}

// The stores are the two stores of a mirror, for the driver and for [Repair].
type stores struct {
	primary storage.Bucket // without the layer
	once    storage.Bucket // the primary without retries
	source  storage.Bucket // the primary, for reads of the revision that the context names
	second  otherstore.Store
	config  Config

	place, secondPlace string // identities of both stores, in every process

	ofPrimary, ofSecond circuit
}

func (d *objectDriver) Describe() driver.Description {
	desc := d.stores.second.Describe(storage.ContentProperties)
	desc.CheckNative = nil
	desc.Places = d.stores.second.Places(d.Driver)
	desc.Features |= storage.OrderedListing // List asks a bucket
	return desc
}

// Native returns the driver itself, for [Repair] and [Status].
func (d *objectDriver) Native() any { return d }

// Locate returns nowhere for copies on the server, which would not reach the second store.
func (d *objectDriver) Locate(string) driver.ObjectRef { return driver.ObjectRef{} }

// ofEngine reports whether b is a bucket with a core of package engine.
func ofEngine(b storage.Bucket) bool {
	core, _, _ := serving.Reach(b)
	return core != nil
}
