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

// A Vendor vends credentials for a store that it serves, which hold for a minute. Their secrets are "credentials-1",
// "credentials-2" and so on.
type Vendor struct {
	Silent bool // it does not say when they end

	mu      sync.Mutex
	ends    []time.Time // as the store sees them
	used    []string
	refused int
}

// Vend returns new credentials.
func (v *Vendor) Vend() (secret string, expires time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	expires = time.Now().Add(time.Minute)
	v.ends = append(v.ends, expires)
	if v.Silent {
		expires = time.Time{}
	}
	return "credentials-" + strconv.Itoa(len(v.ends)), expires
}

// Admits reports whether credentials hold, and remembers that a request had them.
func (v *Vendor) Admits(secret string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.used = append(v.used, secret)
	for i, end := range v.ends {
		if secret == "credentials-"+strconv.Itoa(i+1) && time.Now().Before(end) {
			return true
		}
	}
	v.refused++
	return false
}

// requireUsed requires that requests had these credentials, in their order and without repetitions, and that the
// store has refused so many.
func (v *Vendor) requireUsed(t *testing.T, secrets []string, refused int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	require.Equal(t, secrets, slices.Compact(slices.Clone(v.used)))
	require.Equal(t, refused, v.refused)
}

// An OpenVended opens a bucket with the credentials of a Vendor. Its store takes work for each request that copies.
type OpenVended func(t *testing.T, vendor *Vendor, work time.Duration) storage.Bucket

// CredentialsAreReplacedWithin judges operations that copy in many requests, each for longer than credentials hold.
func CredentialsAreReplacedWithin(
	t *testing.T, open OpenVended, operations map[string]func(context.Context, storage.Bucket) error,
) {
	for name, do := range operations {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				vendor, began := &Vendor{}, time.Now()
				require.NoError(t, do(t.Context(), open(t, vendor, 25*time.Second)))
				require.Greater(t, time.Since(began), time.Minute, "longer than the first credentials")
				vendor.requireUsed(t, []string{"credentials-1", "credentials-2"}, 0)
			})
		})
	}
}

// RefusedCredentialsAreReplacedOnce judges uploads with credentials that have ended without a word: each is
// refused once, and then replaced.
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
