package wiretest

import (
	"slices"
	"strconv"
	"sync"
	"time"
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

// Used returns the credentials that requests had, in their order and without repetitions, and how many requests the
// store has refused.
func (v *Vendor) Used() (secrets []string, refused int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Compact(slices.Clone(v.used)), v.refused
}
