package memstore_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/storagetest"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A passing bucket is a user's type that everything but the methods of Bucket may pass.
type passing struct{ storage.Bucket }

func (p passing) Unwrap() storage.Bucket { return p.Bucket }

// A guarding bucket is a user's type that nothing may pass.
type guarding struct{ storage.Bucket }

func TestFurtherConformanceThroughAWrapper(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	storagetest.Run(t, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		mux := http.NewServeMux()
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		b := passing{memstore.New(append([]storage.OpenOption{storage.WithSigningBaseURL(server.URL + "/files")}, opts...)...)}
		mux.Handle("/files/", serve.NewHandler(b))
		return b
	})
}

// unreached are the features that the methods of Bucket cannot reach.
const unreached = storage.Versioning | storage.SoftDelete | storage.ObjectTags | storage.ObjectLock | storage.Restoring | storage.OpenUploads |
	storage.ListedUploads | storage.SignedParts | storage.SignedForms | storage.ServerCopy | storage.ServerCompose | storage.ServerAppend | storage.ServerMove

// The functions of the package are then made of the methods of Bucket. Their requests and errors are
// those of the methods.
func TestFurtherConformanceThroughAGuard(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	opts := []storagetest.Option{
		storagetest.SkipRules("tags and locks cannot be reached, and a copy opens its source first", "G1", "G2", "G3", "G5"),
		storagetest.SkipRules("AbandonUpload needs the bucket itself", "W13"),
	}
	for reason, cases := range map[string][]string{
		"Close is not reached": {"Close is final and idempotent"},
		"a copy opens its source before the destination checks the options": {
			"a key that breaks a rule is refused, before any request", "another provider's option is Unsupported",
			"every option that is not declared is Unsupported", "a copy of a missing object", "a move that is refused changes nothing",
		},
		"features are not told":                          {"declared features are in force", "an append without conditions is Unsupported", "a source that is replaced while it is copied stays"},
		"hooks and errors have the names of the methods": {"hooks run around every operation", "hooks see the source of a copy", "RemoveAll continues after failures", "Close without Commit fails after a write"},
		"the token of a page is a key":                   {"a page token belongs to its prefix", "a token belongs to its listing", "a token outlives its Bucket value", "a listing in no order is complete"},
		"no reference to a guard tells its tags":         {"tags through a narrowed reference"},
	} {
		for _, name := range cases {
			opts = append(opts, storagetest.Skip(name, reason))
		}
	}
	storagetest.Run(t, func(_ *testing.T, opts ...storage.OpenOption) storage.Bucket {
		without := driver.WithLayer(faults.WithLimits(faults.Limits{Disable: unreached, MaxBatch: -1}))
		return guarding{memstore.New(append([]storage.OpenOption{without}, opts...)...)}
	}, opts...)
}
