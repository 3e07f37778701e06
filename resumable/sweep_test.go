package resumable_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/resumable"
	"github.com/omnibucket/storage/storagetest/faults"
)

// Uploads that cannot be removed do not keep a Sweep from the others for ever.
func TestSweepReachesEveryUpload(t *testing.T) {
	failing := faults.New()
	s := newSite(t, memstore.New(storage.WithLayer(failing.Layer()), storage.WithRetry(storage.RetryPolicy{Attempts: 1})), resumable.Config{})
	for range 150 {
		s.create("Upload-Length", "3")
	}
	_, states := s.keys()
	slices.Sort(states)
	last := states[len(states)-1]
	rules := []faults.Rule{}
	for _, state := range states[:len(states)-1] {
		rules = append(rules, faults.Fail(faults.Delete).ForKey(state).WithError(storage.PermissionDenied))
	}
	failing.Set(rules...)
	s.clock.Advance(100 * time.Hour)
	for range 100 {
		removed, err := s.handler.Sweep(t.Context())
		require.Error(t, err)
		if removed > 0 {
			s.missing(last)
			return
		}
	}
	require.Fail(t, "no Sweep reached the last upload")
}
