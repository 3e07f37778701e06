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

// A put says what happens to one request that writes.
type put struct {
	rivalBody   string // what another client writes first, or ""
	requestLost bool   // whether the request does not reach the store
	err         error  // what the client gets in place of the response
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

	if next.rivalBody != "" {
		other := &driver.PutRequest{
			Key:  r.Key,
			Size: int64(len(next.rivalBody)),
			Body: strings.NewReader(next.rivalBody),
		}
		if _, err := store.Driver.Put(ctx, other); err != nil {
			return nil, err
		}
	}
	if next.requestLost {
		return nil, next.err
	}

	attrs, err := store.Driver.Put(ctx, r)
	if err != nil {
		return nil, err
	}
	if next.err != nil {
		return nil, next.err
	}
	return attrs, nil
}

// If the response to Upload is lost, Upload sends the request again. If the store refuses the repetition, Upload
// reads the object's write id to learn whether the first request was applied.
func TestReconcileLostResponse(t *testing.T) {
	// Each put says what happens to one request that writes.
	lost := &storage.Error{Code: storage.Unavailable, Retryable: true, Unknown: true}
	requestLost := put{requestLost: true, err: lost}
	responseLost := put{err: lost}                   // the request was applied
	rivalFirst := put{rivalBody: "another client's"} // another client writes before it
	notPermitted := put{requestLost: true, err: storage.PermissionDenied}
	refusedByGateway := put{requestLost: true, err: storage.PreconditionFailed}

	tests := []struct {
		name        string
		condition   storage.UploadOption // nil for IfRevision of an old object, which the upload replaces
		puts        []put                // what becomes of the first requests; the others succeed
		lacks       storage.Features     // features that the store does not have
		denyReads   bool                 // whether the store permits no reads
		wantCode    storage.Code         // "" if Upload succeeds
		wantUnknown bool                 // whether the error is OutcomeUnknown
		wantError   string               // part of the error
	}{
		{
			name:      "first request lost",
			condition: storage.IfAbsent(),
			puts:      []put{requestLost},
		},
		{
			name:      "first response lost",
			condition: storage.IfAbsent(),
			puts:      []put{responseLost},
		},
		{
			name:      "first response of an update lost",
			condition: nil,
			puts:      []put{responseLost},
		},
		{
			name:      "another client faster",
			condition: storage.IfAbsent(),
			puts:      []put{requestLost, rivalFirst},
			wantCode:  storage.PreconditionFailed,
			wantError: "the key exists already",
		},
		{
			name:        "update perhaps applied and then replaced",
			condition:   nil,
			puts:        []put{requestLost, rivalFirst},
			wantCode:    storage.OutcomeUnknown,
			wantUnknown: true,
			wantError:   "read the object to see what it holds",
		},
		{
			name:        "store without metadata",
			condition:   storage.IfAbsent(),
			puts:        []put{responseLost},
			lacks:       storage.Metadata,
			wantCode:    storage.OutcomeUnknown,
			wantUnknown: true,
			wantError:   "the store keeps no metadata that would tell",
		},
		{
			name:        "object not readable",
			condition:   storage.IfAbsent(),
			puts:        []put{responseLost},
			denyReads:   true,
			wantCode:    storage.OutcomeUnknown,
			wantUnknown: true,
		},
		{
			name:        "gateway refuses although there is no condition",
			condition:   storage.WithContentType("text/plain"),
			puts:        []put{requestLost, refusedByGateway},
			wantCode:    storage.Unavailable,
			wantUnknown: true,
		},
		{
			name:      "first response lost, second request not permitted",
			condition: storage.IfAbsent(),
			puts:      []put{responseLost, notPermitted},
		},
		{
			name:        "first request lost, second request not permitted",
			condition:   storage.IfAbsent(),
			puts:        []put{requestLost, notPermitted},
			wantCode:    storage.PermissionDenied,
			wantUnknown: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The scripted store treats its first writes as tt.puts describes.
			store := &scripted{Driver: memstore.NewDriver(memstore.Config{})}
			injected := faults.New()
			bucket := engine.New(store, driver.WithLayer(injected.Layer()), withoutFeatures(tt.lacks),
				storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))

			// An update needs an old object.
			condition := tt.condition
			if condition == nil {
				old, err := bucket.Upload(t.Context(), "k", strings.NewReader("old"))
				require.NoError(t, err)
				condition = storage.IfRevision(old.Revision)
			}
			if tt.denyReads {
				injected.Set(faults.Fail(faults.Head).WithError(storage.PermissionDenied))
			}
			store.puts = tt.puts
			store.count = 0

			// Upload makes one request and its repetition.
			attrs, err := bucket.Upload(t.Context(), "k", strings.NewReader("mine"), condition)
			require.Equal(t, 2, store.count)
			require.Equal(t, tt.wantUnknown, errors.Is(err, storage.OutcomeUnknown), "%v", err)
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)

			if tt.wantCode == "" {
				require.EqualValues(t, len("mine"), attrs.Size)
				return
			}
			require.ErrorContains(t, err, tt.wantError)
		})
	}
}
