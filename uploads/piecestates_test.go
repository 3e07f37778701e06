package uploads_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// A sweep of bytes without a record must know these bytes, wherever the states are.
func TestBytesOfWhichTheApplicationDoesNotKnowYet(t *testing.T) {
	for _, row := range []struct {
		name   string
		states uploads.States
	}{
		{"states in the bucket", nil},
		{"states in another bucket", uploads.BucketStates(memstore.New())},
	} {
		t.Run(row.name, func(t *testing.T) {
			key := ""
			s := takesPieces(t, memstore.New(), uploads.Config{States: row.states, Stored: func(_ context.Context, f *uploads.File) error {
				key = f.Key
				return storage.Unavailable
			}})
			_, err := s.PutPiece(t.Context(), piece(1, 1, "x"))
			require.ErrorIs(t, err, storage.Unavailable)
			unrecorded, err := s.Unrecorded(t.Context())
			require.NoError(t, err)
			require.Equal(t, map[string]bool{key: true}, unrecorded)
		})
	}
}

// The clocks of two buckets need not agree.
func TestIdlePiecesWhoseStateIsInAnotherBucket(t *testing.T) {
	for name, ahead := range map[string]time.Duration{
		"the same time": 0, "the states' clock is ahead": 2 * time.Hour, "the states' clock is behind": -2 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			now, statesNow := &clock{}, &clock{}
			statesNow.Advance(ahead)
			bucket := engine.New(memstore.NewDriver(memstore.Config{Now: now.Now}))
			states := engine.New(memstore.NewDriver(memstore.Config{Now: statesNow.Now}))
			s := takesPieces(t, bucket, uploads.Config{TTL: time.Hour, Now: now.Now, States: uploads.BucketStates(states)})
			_, err := s.PutPiece(t.Context(), piece(2, 1, "x"))
			require.NoError(t, err)
			for _, want := range []int{0, 1} {
				report, err := s.Sweep(t.Context())
				require.NoError(t, err)
				require.Equal(t, want, report.Uploads)
				now.Advance(61 * time.Minute)
				statesNow.Advance(61 * time.Minute)
			}
			for _, b := range []storage.Bucket{bucket, states} {
				for entry, err := range b.List(t.Context()) {
					require.NoError(t, err)
					require.Fail(t, "an object is left", entry.Key)
				}
			}
		})
	}
}

// Other objects of the bucket make pages shorter, and the store's clock leaves nothing.
func TestStatesInABucketAreListedInPages(t *testing.T) {
	now := &clock{}
	bucket := engine.New(memstore.NewDriver(memstore.Config{Now: now.Now}))
	var want []string
	for i := range 7 {
		want = append(want, fmt.Sprintf("up/%d/state.json", i))
		for _, key := range []string{want[i], fmt.Sprintf("up/%d/other", i), fmt.Sprint("zz/", i)} {
			_, err := bucket.Upload(t.Context(), key, strings.NewReader("{}"))
			require.NoError(t, err)
		}
	}
	now.Advance(time.Hour)
	for _, limit := range []int{1, 3, 7, 1000} {
		var got []string
		for after, more := "", true; more; more = after != "" {
			found, next, err := uploads.BucketStates(bucket).ListStates(t.Context(), after, limit)
			require.NoError(t, err)
			require.LessOrEqual(t, len(found), limit)
			for _, state := range found {
				got = append(got, state.Key)
				require.InDelta(t, time.Hour, state.Idle, float64(time.Minute))
			}
			after = next
		}
		require.Equal(t, want, got, "%d at a time", limit)
	}
	exists, err := bucket.Exists(t.Context(), uploads.DefaultPrefix+"clock")
	require.NoError(t, err)
	require.False(t, exists)
}
