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

// If another process has taken the lease, Release fails with Changed, even if the object cannot be read any more.
func TestReleaseOfALostLeaseIsChanged(t *testing.T) {
	for name, rule := range map[string]faults.Rule{
		"no read": faults.Fail(faults.Reads),
		"no call": faults.Fail(faults.Any),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failing := faults.New()
				bucket := memstore.New(driver.WithLayer(failing.Layer()),
					storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
				held, err := lease.Acquire(t.Context(), bucket, key)
				require.NoError(t, err)
				_, err = bucket.Upload(t.Context(), key,
					strings.NewReader(`{"holder":"another","token":2,"nonce":"n"}`))
				require.NoError(t, err)
				failing.Set(rule)
				if name == "no call" {
					time.Sleep(45 * time.Second) // the lease counts as lost after three quarters of its TTL
				}

				require.ErrorIs(t, held.Release(), storage.Changed)
			})
		})
	}
}
