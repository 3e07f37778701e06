// Package faults decides which fault applies to a request. The caller of this package applies the
// effect of the fault.
package faults

import (
	"slices"
	"sync"
	"time"

	"github.com/omnibucket/storage/s3server/internal/wildcard"
)

// A Trigger selects requests. Operation, Bucket and Key are patterns of [wildcard.Match]. ""
// matches any value.
type Trigger struct {
	Operation, Bucket, Key string

	Skip  int // selected requests before the first one to which the fault applies
	Times int // requests to which the fault applies; 0 means no limit
	// Rate is a number of requests per second. Only requests beyond this rate count for Skip and
	// Times, and can get the fault.
	Rate int
}

// An Entry is a fault with its id and its use so far. The admin API shows it as JSON.
type Entry[F any] struct {
	ID      int `json:"id"`
	Applied int `json:"applied"` // number of requests to which the fault was applied
	Fault   F   `json:"fault"`
}

// A List holds faults in the order in which they were added. Only the first fault that selects a
// request applies to it.
type List[F any] struct {
	now func() time.Time

	mu     sync.Mutex
	lastID int // id of the fault that was added last
	rules  []*rule[F]
}

// A rule is a fault and the counts of the requests that it has selected.
type rule[F any] struct {
	entry     Entry[F]
	trigger   Trigger
	skipCount int
	// allowance is the number of requests that are still within Rate. These requests do not get the
	// fault. The number grows with time.
	allowance float64
	refilled  time.Time
}

// New returns an empty list.
func New[F any](now func() time.Time) *List[F] { return &List[F]{now: now} }

// Add adds a fault at the end of the list, and returns its id.
func (l *List[F]) Add(t Trigger, f F) (id int) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.lastID++
	l.rules = append(l.rules, &rule[F]{entry: Entry[F]{ID: l.lastID, Fault: f}, trigger: t})
	return l.lastID
}

// Remove removes the fault with this id, and reports whether there was one.
func (l *List[F]) Remove(id int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	oldCount := len(l.rules)
	l.rules = slices.DeleteFunc(l.rules, func(r *rule[F]) bool { return r.entry.ID == id })
	return len(l.rules) < oldCount
}

// Clear removes all faults.
func (l *List[F]) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules = nil
}

// All returns all faults in the order in which they were added.
func (l *List[F]) All() []Entry[F] {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Entry[F], len(l.rules))
	for i, r := range l.rules {
		all[i] = r.entry
	}
	return all
}

// Match counts a request, and returns the first fault that applies to it, or nil.
func (l *List[F]) Match(operation, bucket, key string) *F {
	l.mu.Lock()
	defer l.mu.Unlock()

	for i, r := range l.rules {
		if !r.trigger.selects(operation, bucket, key) || !r.applies(l.now) {
			continue
		}

		// A fault ends after it has applied to a certain number of requests.
		r.entry.Applied++
		if r.entry.Applied == r.trigger.Times {
			l.rules = slices.Delete(l.rules, i, i+1)
		}
		return &r.entry.Fault
	}
	return nil
}

func (t *Trigger) selects(operation, bucket, key string) bool {
	matches := func(pattern, value string) bool { return pattern == "" || wildcard.Match(pattern, value) }
	return matches(t.Operation, operation) && matches(t.Bucket, bucket) && matches(t.Key, key)
}

// applies reports whether the next selected request gets the fault. Requests within the rate do not, and neither do the
// first trigger.Skip requests beyond it.
func (r *rule[F]) applies(now func() time.Time) bool {
	if r.trigger.Rate > 0 && r.allow(now()) {
		return false
	}
	if r.skipCount < r.trigger.Skip {
		r.skipCount++
		return false
	}
	return true
}

// allow reports whether one more selected request is within the rate, and counts the request if so. The fault does not
// apply to a request within the rate.
func (r *rule[F]) allow(now time.Time) bool {
	rate := float64(r.trigger.Rate)
	// The requests of a tenth of a second may come at once.
	burst := max(1, rate/10)

	// The allowance grows with the time since the request before, but not beyond the burst.
	if r.refilled.IsZero() {
		r.allowance = burst
	} else {
		r.allowance = min(burst, r.allowance+now.Sub(r.refilled).Seconds()*rate)
	}
	r.refilled = now

	// Each request within the rate takes one from the allowance.
	if r.allowance < 1 {
		return false
	}
	r.allowance--
	return true
}
