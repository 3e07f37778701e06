// Package mirror keeps each object in two stores, so that a program survives the loss of one.
//
//	second, err := storage.Open(ctx, "azblob://photos?account=acme")
//	layer, err := mirror.New(second, mirror.Config{})
//	bucket, err := storage.Open(ctx, "s3://photos?region=eu-west-1", driver.WithLayer(layer))
//	report, err := mirror.Repair(ctx, bucket)
//
// The bucket with the layer is the primary store. It decides conditions, the order of writes, and
// revisions. Reads go there, too. If the primary does not respond, reads use the second store: see
// [FailedOver]. Writes do not: while the primary cannot be written to, they fail with
// [storage.Unavailable]. So do writes that read an object, such as Update, Append, Move, Compose and
// copies within the bucket, while the primary does not answer their reads.
//
// # Writes
//
// A write succeeds if the primary has stored it, and the second store has stored it, too, or a note
// says that it may be missing there. A note is a small object with a random name below
// [NotesPrefix] in the primary. Listings leave notes out. It is written before the write of the
// object and removed after the copy to the second store:
//
// 1. The note is put into the primary. 2. The primary writes or removes the object, as without the
// layer. 3. The object is copied from the primary to the second store, or removed there. 4. The
// note is removed.
//
// All notes are in the primary, because a write needs that store anyway. So there is no state in
// which notes of two stores contradict each other. A process that is killed before step 1 has done
// nothing. After each later step there is a note, and [Repair] does steps 3 and 4. Repair also does
// them if the second store was down, or a response was lost.
//
// The copy reads one revision of the primary. A condition makes sure that it replaces only the
// object that the second store had when the copy began. Afterwards it checks whether the primary
// still has that revision. If not, it begins again. So the last of several writers leaves both
// stores equal, whatever their order. Each writer has its own note, and never removes another
// writer's note.
//
// [Repair] keeps a note that is younger than an hour, because its writer may be about to write. If
// a write takes longer, and its process is killed before the copy, only [RepairAll] finds the
// difference.
//
// # What is Unsupported
//
// Versions, locks, Restore and options of one provider are Unsupported, because they have no
// equivalent in another store. Copies move through the program, and so does Compose. The layer sets storage classes and
// public access only in the primary. [Repair] copies the result of a signed upload, because signing leaves a note.
// [RepairAll] also copies all other writes that bypass the layer.
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

// NotesPrefix is the prefix of the keys of notes in the primary. Writing such a key fails with
// InvalidArgument.
const NotesPrefix = ".omnibucket-mirror/"

// A Config sets up a mirror. The zero value has the defaults.
type Config struct {
	// Sync makes a write wait until the second store has stored it, too. If the second store fails,
	// the write fails with [storage.OutcomeUnknown]. The primary then has the written object, and a
	// note for [Repair].
	Sync bool
	// Stall is the longest time without progress. It limits the time until a store responds, and
	// the time until a copy sends its next bytes. The default is 5 s. One second is added for each
	// 16 MiB of the object. After that time, the store counts as failed.
	Stall time.Duration
	// Probe is the time for which a store that has failed gets no request. The default is 10 s.
	// After that time, one request tries the store again.
	//
	// The primary counts as failed after three failures in a row, and the second store after one. A
	// store also counts as failed if the deadlines of three calls in a row end before it responds.
	Probe time.Duration
}

// New returns a layer for the primary store. The bucket that uses the layer must be closed before the
// second store.
//
// If the second store lacks [storage.ConditionalCreate], [storage.ConditionalUpdate] or
// [storage.Metadata], or if one of the stores lacks [storage.OrderedListing], every call of the bucket
// fails with Unsupported.
//
// New fails with InvalidArgument if second is nil or not a bucket of this library, or if a duration is
// negative. Every call of the bucket fails with InvalidArgument if the two stores are known to overlap
// ([driver.Overlap]). Two stores overlap if they are the same bucket, or if one is a folder of the other
// or a directory around it.
func New(second storage.Bucket, c Config) (driver.Layer, error) {
	// A copy names the copied revision by its write id, which only buckets of this library have.
	if !isOfEngine(second) {
		return nil, invalid("mirror.New", "second must be a bucket that was opened by this library")
	}
	if c.Stall < 0 || c.Probe < 0 {
		return nil, invalid("mirror.New", "Stall and Probe must not be negative")
	}

	c.Stall = cmp.Or(c.Stall, 5*time.Second)
	c.Probe = cmp.Or(c.Probe, 10*time.Second)
	return func(d driver.Driver) driver.Driver { return newDriver(d, second, c) }, nil
}

// newDriver returns the driver of a mirror over d, the driver of the primary. If the two stores cannot form
// a mirror, every call of the result fails.
func newDriver(d driver.Driver, second storage.Bucket, c Config) driver.Driver {
	if !storage.Supports(second, otherstore.Needed) {
		return otherstore.Refuse(d, otherstore.ErrNeeds("the second store of a mirror"))
	}

	// Revisions of the second store get the tag as a prefix, which shows where they are from.
	secondStore := otherstore.Store{
		Bucket: second,
		Tag:    "second:",
		Own:    d.Describe(),
		ID:     otherstore.Identity(second),
	}
	if err := secondStore.Refused("mirror"); err != nil {
		return otherstore.Refuse(d, err)
	}
	if otherstore.Overlaps(d, second) {
		return otherstore.Refuse(d, invalid("",
			"the two stores of a mirror must not be the same bucket, nor one in the other"))
	}
	return otherstore.Calls(&objectDriver{d, newStores(d, secondStore, c)})
}

// newStores returns the two stores of a mirror. d is the driver of the primary, which a mirror uses through three
// buckets: for most calls, for calls without retries, and to read a revision that the context names.
func newStores(d driver.Driver, second otherstore.Store, c Config) *stores {
	return &stores{
		place:       serving.PlaceID(engine.New(d)),
		secondPlace: serving.PlaceID(second.Bucket),
		second:      second,
		config:      c,
		primary:     engine.New(d),
		once:        engine.New(d, storage.WithRetry(storage.RetryPolicy{Attempts: 1})),
		source:      engine.New(pinned{d}),
		// The circuit of the primary opens after opensAt failures in a row, and that of the second store after one.
		primaryCircuit: circuit{weight: 1, wait: c.Probe},
		secondCircuit:  circuit{weight: opensAt, wait: c.Probe},
	}
}

// invalid returns an error with the code InvalidArgument.
func invalid(op, text string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: op, Err: errors.New(text)}
}

// An objectDriver is the driver of a mirror: the primary and the second store.
type objectDriver struct {
	driver.Driver
	stores *stores
}

// A stores value contains the two stores of a mirror. The driver and [Repair] use it.
type stores struct {
	primary storage.Bucket // the primary, without the layer
	once    storage.Bucket // the primary without retries
	source  storage.Bucket // the primary; the context of a read names the revision to read
	second  otherstore.Store
	config  Config

	place, secondPlace string // identities of both stores, the same in every process

	primaryCircuit, secondCircuit circuit
}

// Describe returns the features that both stores have, and refuses options of one provider, because the
// other store has no equivalent.
func (d *objectDriver) Describe() driver.Description {
	desc := d.stores.second.Describe(storage.ContentProperties)
	desc.CheckNative = nil
	desc.Places = d.stores.second.Places(d.Driver)
	return desc
}

// Native returns the driver itself, for [Repair] and [Status].
func (d *objectDriver) Native() any { return d }

// Locate returns the zero reference, which prevents copies by the server. Such copies would not
// reach the second store.
func (d *objectDriver) Locate(string) driver.ObjectRef { return driver.ObjectRef{} }

// isOfEngine reports whether b is a bucket with a Core of package engine.
func isOfEngine(b storage.Bucket) bool {
	core, _, _ := serving.Reach(b)
	return core != nil
}
