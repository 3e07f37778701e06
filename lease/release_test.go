package lease_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/lease"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// Release fails with Changed if another process has taken the lease, even if the object cannot be
// read any more.
func TestReleaseOfALostLeaseIsChanged(t *testing.T) {
	// A lease that cannot be renewed counts as lost after three quarters of the TTL, which is a minute.
	const lostAfter = 45 * time.Second
	tests := []struct {
		name  string
		fault faults.Rule   // which lets calls of the holder fail
		wait  time.Duration // until Release is called
	}{
		{name: "reads fail", fault: faults.Fail(faults.Reads)},
		{name: "all calls fail until the lease counts as lost", fault: faults.Fail(faults.Any), wait: lostAfter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				injector := faults.New()
				bucket := memstore.New(driver.WithLayer(injector.Layer()),
					storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
				l, err := lease.Acquire(t.Context(), bucket, key)
				require.NoError(t, err)

				// Another process takes the lease.
				_, err = bucket.Upload(t.Context(), key,
					strings.NewReader(`{"holder":"another","token":2,"nonce":"n"}`))
				require.NoError(t, err)

				// The faults begin, and the holder releases the lease.
				injector.Set(tt.fault)
				time.Sleep(tt.wait)
				require.ErrorIs(t, l.Release(), storage.Changed)
			})
		})
	}
}
