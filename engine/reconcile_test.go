package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A put says what becomes of one request that writes.
type put struct {
	before   string // what another client writes first, or ""
	lost     bool   // whether the request does not reach the store
	answered error  // what the client gets in place of the response
}

// A scripted driver treats its first requests as its field puts describes, one after the other.
type scripted struct {
	driver.Driver
	puts  []put
	count int
}

func (store *scripted) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	store.count++
	if store.count > len(store.puts) {
		return store.Driver.Put(ctx, r)
	}
	next := store.puts[store.count-1]

	if next.before != "" {
		other := &driver.PutRequest{
			Key:  r.Key,
			Size: int64(len(next.before)),
			Body: strings.NewReader(next.before),
		}
		if _, err := store.Driver.Put(ctx, other); err != nil {
			return nil, err
		}
	}
	if next.lost {
		return nil, next.answered
	}

	attrs, err := store.Driver.Put(ctx, r)
	if err != nil {
		return nil, err
	}
	if next.answered != nil {
		return nil, next.answered
	}
	return attrs, nil
}

// If the response to Upload is lost, Upload sends the request again. If the store refuses the repetition, Upload
// reads the object's write id to learn whether the first request was applied.
func TestReconcileLostResponse(t *testing.T) {
	lost := &storage.Error{Code: storage.Unavailable, Retryable: true, Unknown: true}
	unconditional := func(string) storage.UploadOption { return storage.WithContentType("text/plain") }
	ifAbsent := func(string) storage.UploadOption { return storage.IfAbsent() }
	ifRevision := func(old string) storage.UploadOption { return storage.IfRevision(old) }

	tests := []struct {
		name    string
		opts    func(old string) storage.UploadOption
		updates bool // there is an old object
		puts    []put
		lacks   storage.Features
		blind   bool // the object cannot be read
		want    storage.Code
		unknown bool
		sent    int // requests
		says    string
	}{
		{
			name: "it was not applied, and is repeated",
			opts: ifAbsent,
			puts: []put{{lost: true, answered: lost}},
			sent: 2,
		},
		{
			name: "it was applied, and the repeated one is refused",
			opts: ifAbsent,
			puts: []put{{answered: lost}},
			sent: 2,
		},
		{
			name:    "an update was applied, and the repeated one is refused",
			opts:    ifRevision,
			updates: true,
			puts:    []put{{answered: lost}},
			sent:    2,
		},
		{
			name: "another client was faster",
			opts: ifAbsent,
			puts: []put{{lost: true, answered: lost}, {before: "another's"}},
			want: storage.PreconditionFailed,
			sent: 2,
			says: "the key exists already",
		},
		{
			name:    "an update may have been applied and then replaced",
			opts:    ifRevision,
			updates: true,
			puts:    []put{{lost: true, answered: lost}, {before: "another's"}},
			want:    storage.OutcomeUnknown,
			unknown: true,
			sent:    2,
			says:    "read the object to see what it holds",
		},
		{
			name:    "the store keeps no metadata",
			opts:    ifAbsent,
			puts:    []put{{answered: lost}},
			lacks:   storage.Metadata,
			want:    storage.OutcomeUnknown,
			unknown: true,
			sent:    2,
			says:    "the store keeps no metadata that would tell",
		},
		{
			name:    "the object cannot be read",
			opts:    ifAbsent,
			puts:    []put{{answered: lost}},
			blind:   true,
			want:    storage.OutcomeUnknown,
			unknown: true,
			sent:    2,
		},
		{
			name:    "a gateway refuses by a condition that nobody gave",
			opts:    unconditional,
			puts:    []put{{lost: true, answered: lost}, {lost: true, answered: storage.PreconditionFailed}},
			want:    storage.Unavailable,
			unknown: true,
			sent:    2,
		},
		{
			name: "it was applied, and the repeated one is not permitted",
			opts: ifAbsent,
			puts: []put{{answered: lost}, {lost: true, answered: storage.PermissionDenied}},
			sent: 2,
		},
		{
			name:    "it was not applied, and the repeated one is not permitted",
			opts:    ifAbsent,
			puts:    []put{{lost: true, answered: lost}, {lost: true, answered: storage.PermissionDenied}},
			want:    storage.PermissionDenied,
			unknown: true,
			sent:    2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := &scripted{Driver: memstore.NewDriver(memstore.Config{})}
			injected := faults.New()
			bucket := engine.New(store, driver.WithLayer(injected.Layer()), withoutFeatures(tt.lacks),
				storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))
			old := ""
			if tt.updates {
				attrs, err := bucket.Upload(t.Context(), "k", strings.NewReader("old"))
				require.NoError(t, err)
				old = attrs.Revision
			}
			if tt.blind {
				injected.Set(faults.Fail(faults.Head).WithError(storage.PermissionDenied))
			}
			store.puts = tt.puts
			store.count = 0

			attrs, err := bucket.Upload(t.Context(), "k", strings.NewReader("mine"), tt.opts(old))
			require.Equal(t, tt.sent, store.count)
			require.Equal(t, tt.unknown, errors.Is(err, storage.OutcomeUnknown), "%v", err)
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)

			if tt.want == "" {
				require.Equal(t, int64(4), attrs.Size)
				return
			}
			require.ErrorContains(t, err, tt.says)
		})
	}
}
