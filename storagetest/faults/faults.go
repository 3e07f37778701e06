// Package faults makes a bucket fail on purpose: before a call, after its
// effect, in the middle of a body, by a stall, a delay or a damaged byte. It is
// a storage.Layer, so that it fits every driver, in tests as in staging.
//
//	inj := faults.New(faults.LoseAnswer(faults.Put).Nth(1))
//	b := storage.New(driver, storage.WithLayer(inj.Layer()))
//
// An Injector without rules injects nothing: it records the driver's calls and
// counts the bodies that are still open.
package faults

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/ctxtime"
)

// keptEvents bounds the record, so that an Injector can stay in a long-lived
// program.
const keptEvents = 4096

// An Injector injects what its rules say and records every call. It is safe
// for concurrent use.
type Injector struct {
	mu     sync.Mutex
	rules  []*armed
	events []Event
	total  int
	counts map[Calls]int
	open   int
	sleep  func(ctx context.Context, d time.Duration) error
}

// An Event is one call of the driver.
type Event struct {
	N     int    // from 1, in the order in which the calls began
	Call  string // the method: "Put"
	Key   string // or, of a listing, the prefix; of a batch, the first key
	Fault string // the rule that hit it, or ""
}

// String is one line of the record.
func (e Event) String() string {
	line := fmt.Sprintf("%4d %s", e.N, e.Call)
	if e.Key != "" {
		line += fmt.Sprintf(" %q", e.Key)
	}
	if e.Fault != "" {
		line += " <- " + e.Fault
	}
	return line
}

// New makes an Injector. Of several rules that match a call the first that hits
// it counts.
func New(rules ...Rule) *Injector {
	return &Injector{rules: arm(rules), counts: make(map[Calls]int), sleep: ctxtime.Sleep}
}

// Layer is for storage.WithLayer. One Injector may serve several buckets. A
// driver that declares Local, whose answers the core does not watch, loses that
// where a rule that stalls is set when the bucket is opened.
func (i *Injector) Layer() storage.Layer {
	return func(next storage.Driver) storage.Driver { return &driver{Driver: next, injector: i} }
}

// Set replaces the rules; those given begin to count anew. The record stays.
func (i *Injector) Set(rules ...Rule) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.rules = arm(rules)
}

// SetSleep sets the clock that Delay waits by: wait returns after d, or with
// ctx's error when ctx is done. The default is real time.
func (i *Injector) SetSleep(wait func(ctx context.Context, d time.Duration) error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sleep = wait
}

// Reset empties the record and the counts; rules and open bodies stay.
func (i *Injector) Reset() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.events, i.total = nil, 0
	clear(i.counts)
}

// Count is how many of these calls were made.
func (i *Injector) Count(calls Calls) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := 0
	for call, count := range i.counts {
		if call&calls != 0 {
			n += count
		}
	}
	return n
}

// OpenBodies is how many bodies of Get were handed out and not closed yet.
func (i *Injector) OpenBodies() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.open
}

// Events is the record in order; of a long one, the last 4,096 calls or more.
func (i *Injector) Events() []Event {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]Event(nil), i.events...)
}

// Hits are the events that met a fault.
func (i *Injector) Hits() []Event {
	var hits []Event
	for _, e := range i.Events() {
		if e.Fault != "" {
			hits = append(hits, e)
		}
	}
	return hits
}

// String is the rules and the record, a line each, to be printed when a test
// fails.
func (i *Injector) String() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var b strings.Builder
	for _, r := range i.rules {
		fmt.Fprintf(&b, "rule %v\n", r.Rule)
	}
	for _, e := range i.events {
		fmt.Fprintln(&b, e)
	}
	fmt.Fprintf(&b, "calls %d, open bodies %d\n", i.total, i.open)
	return b.String()
}

// begin records a call and finds its fault; nil is none.
func (i *Injector) begin(call Calls, key string) *Rule {
	i.mu.Lock()
	defer i.mu.Unlock()
	var hit *Rule
	for _, r := range i.rules {
		// Every rule counts every call, also behind one that hits.
		if r.hits(call, key) && hit == nil {
			hit = &r.Rule
		}
	}
	i.total++
	i.counts[call]++
	event := Event{N: i.total, Call: call.String(), Key: key}
	if hit != nil {
		event.Fault = hit.String()
	}
	if len(i.events) >= 2*keptEvents {
		i.events = append([]Event(nil), i.events[keptEvents:]...)
	}
	i.events = append(i.events, event)
	return hit
}

// stalls reports whether a rule stalls.
func (i *Injector) stalls() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, r := range i.rules {
		if r.kind == stall || r.kind == stallBody {
			return true
		}
	}
	return false
}

func (i *Injector) bodies(change int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.open += change
}

// wait is Delay's.
func (i *Injector) wait(ctx context.Context, d time.Duration) error {
	i.mu.Lock()
	wait := i.sleep
	i.mu.Unlock()
	return wait(ctx, d)
}
