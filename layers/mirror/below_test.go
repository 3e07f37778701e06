package mirror_test

import (
	"slices"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest"
)

const (
	countsCalls = "it counts the calls of the primary: a write has a note and a copy"
	hitsANote   = "the fault is meant for the call that writes the object, and hits its note"

	needsPrimary = "after a failure the second store answers, and the source is removed only by a revision " +
		"of the primary"
	hasNoBatch = "the fault is meant for a batch, and a mirror has none"
)

// The conformance suite passes for a mirror, even if the faults that the suite injects happen in
// the primary of the mirror.
func TestFurtherConformanceWithFaultsOfThePrimary(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for layers

	// In a case with faults, the options of the suite begin with a retry policy and the layer that injects the
	// faults. A later layer is above an earlier one. So the mirror is inserted right after these two options.
	open := func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		aboveFaults := min(2, len(opts)-1)
		layer := newLayer(t, memstore.New(), mirror.Config{})
		opts = slices.Insert(opts, aboveFaults, driver.WithLayer(layer))
		return engine.New(memstore.NewDriver(memstore.Config{}), opts...)
	}
	// The suite leaves out these cases, for the reasons in the constants.
	storagetest.Run(t, open, skips(map[string]string{
		"a body too long for Put is sent in parts":                               countsCalls,
		"a bucket has a default part size":                                       countsCalls,
		"attributes of a write need no second request":                           countsCalls,
		"the next page is prefetched":                                            countsCalls,
		"a body that can seek is sent again":                                     hitsANote,
		"an outcome that cannot be reconciled is unknown":                        hitsANote,
		"an update whose outcome is unknown is not repeated":                     hitsANote,
		"without metadata a lost response stays unknown":                         hitsANote,
		"an append whose response was lost never adds its bytes twice, streamed": hitsANote,
		"a fault at every call of a move by a copy, retried":                     needsPrimary,
		"RemoveAll continues after failures":                                     hasNoBatch,
	})...)
}

// skips returns options that leave out cases, by their names and reasons.
func skips(names map[string]string) (opts []storagetest.Option) {
	for name, reason := range names {
		opts = append(opts, storagetest.Skip(name, reason))
	}
	return opts
}
