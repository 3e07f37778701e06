// Package faults makes a bucket fail on purpose. A call can fail before or after its effect, or in
// the middle of a body. It can also stall, be slow, or damage a byte. The package provides a
// [driver.Layer], which works with every driver, in tests and in staging.
//
//	inj := faults.New(faults.DropResponse(faults.Put).Nth(1))
//	b := memstore.New(driver.WithLayer(inj.Layer()))
//
// An [Injector] without rules injects no faults, but records the driver's calls and counts open
// bodies.
package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/running"
)

// maxEvents limits the number of recorded calls, so that an Injector can run in a long-lived
// program.
const maxEvents = 4096

// An Injector injects the faults of its rules and records every call. It is safe for
// concurrent use.
type Injector struct {
	mu     sync.Mutex
	rules  []*activeRule
	events []Event
	total  int
	counts map[Calls]int
	open   int
	sleep  func(ctx context.Context, d time.Duration) error
}

// An Event is the record of one call to the driver.
type Event struct {
	N     int    // number of the call, in the order in which the calls began; the first is 1
	Call  string // name of the driver's method, such as "Put"
	Key   string // the key, the prefix of a listing, or the first key of a batch
	Fault string // the rule whose fault was injected, or ""
}

// String returns the event as one line of the record.
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

// New returns an [Injector] with these rules. If several rules apply to a call, the
// first one wins.
func New(rules ...Rule) *Injector {
	return &Injector{rules: newActiveRules(rules), counts: make(map[Calls]int), sleep: running.Sleep}
}

// Layer returns a layer for [driver.WithLayer]. One Injector may serve several buckets.
//
// If you use [Stall], [StallBody] or [SlowBody], set the rule before you open the bucket. The
// bucket then treats a store on this machine like a store on another machine. Otherwise, the bucket
// would not detect that the store stalls.
func (i *Injector) Layer() driver.Layer {
	return func(next driver.Driver) driver.Driver { return &objectDriver{Driver: next, injector: i} }
}

// Set replaces the rules. The new rules count calls from 0. The record of calls stays.
func (i *Injector) Set(rules ...Rule) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.rules = newActiveRules(rules)
}

// SetSleep replaces the function that waits for [Delay] and [SlowBody]. wait must return after d.
// If ctx is done first, it must return the error of ctx. The default waits in real time.
func (i *Injector) SetSleep(wait func(ctx context.Context, d time.Duration) error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sleep = wait
}

// Reset clears the record and the counts. Rules and open bodies stay.
func (i *Injector) Reset() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.events = nil
	i.total = 0
	clear(i.counts)
}

// Count returns how many of these calls were made.
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

// OpenBodies returns the number of bodies that Get returned and that are not closed
// yet.
func (i *Injector) OpenBodies() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.open
}

// Events returns the recorded calls in order. If there are many, at least the last 4,096 calls are
// kept.
func (i *Injector) Events() []Event {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.events)
}

// Hits returns the recorded calls that had a fault.
func (i *Injector) Hits() []Event {
	var hits []Event
	for _, e := range i.Events() {
		if e.Fault != "" {
			hits = append(hits, e)
		}
	}
	return hits
}

// String returns the rules and the record, one a line, for the log of a failed test.
func (i *Injector) String() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var b strings.Builder
	for _, r := range i.rules {
		fmt.Fprintf(&b, "rule %v\n", r.rule)
	}
	for _, e := range i.events {
		fmt.Fprintln(&b, e)
	}
	fmt.Fprintf(&b, "calls %d, open bodies %d\n", i.total, i.open)
	return b.String()
}

// begin records a call, and returns the fault that applies to it, or nil.
func (i *Injector) begin(call Calls, key string) *Rule {
	i.mu.Lock()
	defer i.mu.Unlock()
	var hit *Rule
	for _, r := range i.rules {
		// Each rule counts each matching call, even if an earlier rule already applies to the call.
		applies := r.appliesTo(call, key)
		if applies && hit == nil {
			hit = &r.rule
		}
	}

	i.total++
	i.counts[call]++
	event := Event{N: i.total, Call: call.String(), Key: key}
	if hit != nil {
		event.Fault = hit.String()
	}

	// Forget old events in groups, so that few calls have to copy the others.
	if len(i.events) >= 2*maxEvents {
		i.events = slices.Clone(i.events[maxEvents:])
	}
	i.events = append(i.events, event)
	return hit
}

// stalls reports whether a rule stalls or slows calls, which happens only over a network.
func (i *Injector) stalls() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, r := range i.rules {
		if r.rule.kind == stall || r.rule.kind == stallBody || r.rule.kind == slowBody {
			return true
		}
	}
	return false
}

// addOpenBodies adds n to the number of open bodies.
func (i *Injector) addOpenBodies(n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.open += n
}

// wait waits for d, with the function of SetSleep.
func (i *Injector) wait(ctx context.Context, d time.Duration) error {
	i.mu.Lock()
	wait := i.sleep
	i.mu.Unlock()
	return wait(ctx, d)
}
