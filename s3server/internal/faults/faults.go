// Package faults decides to which requests a fault applies. It does not know what a fault does.
package faults

import (
	"slices"
	"sync"
	"time"

	"github.com/omnibucket/storage/s3server/internal/wildcard"
)

// A Trigger selects requests. Its texts are patterns of [wildcard.Match]; "" means any.
type Trigger struct {
	Operation, Bucket, Key string

	Skip  int // selected requests that pass first
	Times int // requests until the fault ends; 0 means all
	Rate  int // selected requests a second that pass, before Skip and Times count
}

// An Entry is a fault that was added, in the form of the admin API.
type Entry[F any] struct {
	ID      int `json:"id"`
	Applied int `json:"applied"` // requests to which it was applied
	Fault   F   `json:"fault"`
}

// A List has faults. The first one whose trigger selects a request applies to it.
type List[F any] struct {
	now func() time.Time

	mu    sync.Mutex
	last  int // the latest id
	rules []*rule[F]
}

// A rule is a fault and the requests that it has seen.
type rule[F any] struct {
	entry   Entry[F]
	trigger Trigger
	skipped int
	left    float64 // requests that Rate still lets pass
	filled  time.Time
}

// New returns an empty list.
func New[F any](now func() time.Time) *List[F] { return &List[F]{now: now} }

// Add adds a fault after the others.
func (l *List[F]) Add(t Trigger, f F) (id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	l.rules = append(l.rules, &rule[F]{entry: Entry[F]{ID: l.last, Fault: f}, trigger: t})
	return l.last
}

// Remove removes the fault with this id, and reports whether there was one.
func (l *List[F]) Remove(id int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.rules)
	l.rules = slices.DeleteFunc(l.rules, func(r *rule[F]) bool { return r.entry.ID == id })
	return len(l.rules) < before
}

// Clear removes all faults.
func (l *List[F]) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules = nil
}

// All returns the faults in their order.
func (l *List[F]) All() []Entry[F] {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Entry[F], len(l.rules))
	for i, r := range l.rules {
		all[i] = r.entry
	}
	return all
}

// Match counts a request and returns its fault, or nil.
func (l *List[F]) Match(operation, bucket, key string) *F {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, r := range l.rules {
		if !r.trigger.selects(operation, bucket, key) || !r.takes(l.now) {
			continue
		}
		if r.entry.Applied++; r.entry.Applied == r.trigger.Times {
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

// takes reports whether neither Rate nor Skip let one more request pass.
func (r *rule[F]) takes(now func() time.Time) bool {
	if r.trigger.Rate > 0 && r.passes(now()) {
		return false
	}
	if r.skipped < r.trigger.Skip {
		r.skipped++
		return false
	}
	return true
}

// passes reports whether Rate lets one more request pass.
func (r *rule[F]) passes(now time.Time) bool {
	rate := float64(r.trigger.Rate)
	atOnce := max(1, rate/10)
	if r.filled.IsZero() {
		r.left = atOnce
	} else {
		r.left = min(atOnce, r.left+now.Sub(r.filled).Seconds()*rate)
	}
	r.filled = now
	if r.left < 1 {
		return false
	}
	r.left--
	return true
}
