package wiretest

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A Vendor imitates a store's service for credentials. Its credentials are valid for a minute.
// Their secrets are "credentials-1", "credentials-2" and so on.
type Vendor struct {
	Silent bool // true if Vend does not tell when the credentials expire

	mu      sync.Mutex
	ends    []time.Time // times at which the credentials expire, in the order in which they were issued
	used    []string
	refused int
}

// Vend issues new credentials, which are valid for a minute.
func (v *Vendor) Vend() (secret string, expires time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	end := time.Now().Add(time.Minute)
	v.ends = append(v.ends, end)
	secret = "credentials-" + strconv.Itoa(len(v.ends))
	if v.Silent {
		return secret, time.Time{}
	}
	return secret, end
}

// Admits reports whether credentials are valid, and records their use. The simulated store calls it
// for each request.
func (v *Vendor) Admits(secret string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.used = append(v.used, secret)
	for i, end := range v.ends {
		isIssued := secret == "credentials-"+strconv.Itoa(i+1)
		if isIssued && time.Now().Before(end) {
			return true
		}
	}

	v.refused++
	return false
}

// requireUsed requires that the requests used these credentials in this order, and that the store
// refused as many requests with invalid ones as refusals says.
func (v *Vendor) requireUsed(t *testing.T, secrets []string, refusals int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	require.Equal(t, secrets, slices.Compact(slices.Clone(v.used)))
	require.Equal(t, refusals, v.refused)
}

// requireFirstUses requires that the requests used these credentials, first in this order, and that the store refused no
// request. Of requests at the same time, one with older credentials may arrive after one with newer credentials.
func (v *Vendor) requireFirstUses(t *testing.T, secrets []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var first []string
	for _, secret := range v.used {
		if !slices.Contains(first, secret) {
			first = append(first, secret)
		}
	}
	require.Equal(t, secrets, first)
	require.Zero(t, v.refused)
}

// An OpenVended opens a bucket whose driver uses the credentials of vendor. requestTime is the time
// that each copy request takes.
type OpenVended func(t *testing.T, vendor *Vendor, requestTime time.Duration) storage.Bucket

// CredentialsAreReplacedWithin checks that credentials are replaced during a long operation, which
// copies with many requests and takes longer than the credentials are valid.
func CredentialsAreReplacedWithin(
	t *testing.T, open OpenVended, operations map[string]func(context.Context, storage.Bucket) error,
) {
	for name, do := range operations {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The credentials expire after a few copy requests.
				const requestTime = 25 * time.Second
				vendor := &Vendor{}
				start := time.Now()
				require.NoError(t, do(t.Context(), open(t, vendor, requestTime)))
				require.Greater(t, time.Since(start), time.Minute, "the first credentials must expire meanwhile")
				vendor.requireFirstUses(t, []string{"credentials-1", "credentials-2"})
			})
		})
	}
}

// RefusedCredentialsAreReplacedOnce checks that after one request that the store refuses, the
// driver gets new credentials. The credentials do not tell when they expire.
func RefusedCredentialsAreReplacedOnce(t *testing.T, open OpenVended) {
	synctest.Test(t, func(t *testing.T) {
		vendor := &Vendor{Silent: true}
		b := open(t, vendor, 0)
		for range 3 {
			_, err := b.Upload(t.Context(), "a", strings.NewReader("hello world"))
			require.NoError(t, err)
			time.Sleep(time.Hour)
		}
		vendor.requireUsed(t, []string{"credentials-1", "credentials-2", "credentials-3"}, 2)
	})
}
