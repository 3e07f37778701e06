// Package hostile tests a driver over HTTP with a server that breaks its responses. For example,
// the server sends a login page in place of a result, a body without an end, empty pages forever,
// or a message that quotes the request.
//
// [Run] puts a proxy in front of a server that works correctly. For each fault and each operation,
// the proxy first breaks the responses to all requests of the operation. It then breaks the
// responses from the second request on, and so on.
//
// If an operation succeeds, its result must be true. If it fails, it must have changed nothing, or
// its error must say that the outcome is unknown. Every operation must end soon. It must read no
// more of a body than it can use, and must not show a secret of its requests.
//
//	func TestHostileServers(t *testing.T) {
//		hostile.Run(t, hostile.Store{
//			Server: shelfserver.New(),
//			Open:   func(t *testing.T, address string) driver.Driver { return newDriver(address) },
//		})
//	}
package hostile

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
)

// A Store says how to open a driver, and has a server that responds correctly to its requests.
type Store struct {
	// Server serves the store's protocol for a bucket, which is empty at first. It may be a
	// proxy of a server in another process.
	Server http.Handler
	// Open opens a driver for the bucket of Server. The address belongs to a proxy in front of
	// Server, such as "http://127.0.0.1:8080". If CustomerKey is set, Open is also called with an
	// https address. The proxy at that address uses the certificate of package httptest.
	Open func(t *testing.T, address string) driver.Driver
	// OpenService opens the account of the bucket at the same address. If it is nil, listing
	// buckets is not tested.
	OpenService func(t *testing.T, address string) driver.ServiceDriver
	// CustomerKey is the provider's option that encrypts objects with a key in each request. If it
	// is nil, operations with such a key are not tested. Server need not support such keys.
	CustomerKey storage.NativeOption
	// EmptyPage returns the store's response to the listing request r. The response is a page
	// without entries, and token is its next token. If r is not a listing request,
	// EmptyPage returns "". If EmptyPage is nil, endless listings are not tested.
	EmptyPage func(r *http.Request, token string) (contentType, body string)
	// Statuses tests writes with every status from 400 to 599. The status replaces the response to the
	// last request of a write. Each status is tested in two cases: if the request has not reached
	// the store, and if the store has made the write. If Statuses is false, only usual statuses are
	// tested. The tests then take half as long, which suits a server in another process.
	Statuses bool
	// Only is a prefix of names of faults. Run tries only the faults with this prefix. If Only is
	// "", Run tries all faults.
	Only string
	// Skip lists the tests that are left out, and the reason for each. A key may name a fault, such
	// as "a login page", or an operation, such as "SetTags". A key such as "a login page/SetTags"
	// names one test of a fault with an operation.
	Skip map[string]string
}

// Run tries each fault with each operation, as one subtest. The subtest is named after the fault
// and the operation.
func Run(t *testing.T, s Store) {
	t.Helper()
	run(t, &s, faults(&s))
}

// RunStatuses runs the tests that Run leaves out. They replace a response to a write with the error
// page of a gateway, or close the connection.
func RunStatuses(t *testing.T, s Store) {
	t.Helper()
	run(t, &s, sweepFaults())
}

// run tries each fault with each operation that it concerns.
func run(t *testing.T, s *Store, faults []fault) {
	t.Helper()
	const tls = false
	server := newServer(t, s.Server, tls)
	driver := s.Open(t, server.URL)
	bucket := engine.New(driver)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })

	suite := &suite{
		store:    *s,
		desc:     driver.Describe(),
		reliable: bucket,
	}
	suite.requireKnown(t, faults)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			suite.runFault(t, f)
		})
	}
}

// runFault tries f with each operation that it concerns, in a parallel subtest each.
func (s *suite) runFault(t *testing.T, f fault) {
	for _, o := range operations(&s.store, &s.desc) {
		if !f.concerns(&o) {
			continue
		}
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			s.run(t, f, o)
		})
	}
}

// A suite is the state of one call of Run.
type suite struct {
	store    Store
	desc     driver.Description
	reliable storage.Bucket // bucket on a server that breaks nothing
	tries    atomic.Int64   // number of tries so far, which is part of the prefix of each try's keys
}

// requireKnown requires that Skip names only known faults, operations and pairs of both, so that no entry
// is misspelled or outdated.
func (s *suite) requireKnown(t *testing.T, faults []fault) {
	t.Helper()
	rows := map[string]bool{}
	for _, f := range faults {
		rows[f.name] = true
		for _, o := range operations(&s.store, &s.desc) {
			rows[o.name] = true
			rows[f.name+"/"+o.name] = true
		}
	}
	for name := range s.store.Skip {
		require.Contains(t, rows, name, "Skip names no row")
	}
}

// mostRequests limits the tries with one fault and one operation. The first try breaks responses
// from the first request on. The next try breaks responses from the second request on, and so on.
// No try begins to break responses after request number mostRequests.
const mostRequests = 8

// run tries the operation with broken responses from its first request on, then from its second on,
// and so on.
func (s *suite) run(t *testing.T, f fault, o operation) {
	for _, name := range []string{f.name, o.name, f.name + "/" + o.name} {
		if reason := s.store.Skip[name]; reason != "" {
			t.Skip(reason)
		}
	}
	if o.needs&^s.desc.Features != 0 {
		t.Skip("the store has no such operation")
	}

	if f.sweepsStatuses {
		s.sweep(t, f, o)
		return
	}

	// A customer's key is in every request, so one try shows whether a response can reveal it.
	isOneTryEnough := f.fromFirstOnly || o.keyed
	for first := 1; first <= mostRequests; first++ {
		mayBreakMore := s.tryVariants(t, f, o, first)
		if !mayBreakMore || isOneTryEnough {
			return
		}
	}
}

// tryVariants runs one trial for each variant of the fault. Each breaks the responses from request number
// first on. It returns false if the test has failed or the operation makes fewer requests.
func (s *suite) tryVariants(t *testing.T, f fault, o operation, first int) bool {
	t.Helper()
	for variant := 0; ; variant++ {
		trial := s.runTrial(t, f, o, first, variant)
		if t.Failed() || trial.broken == 0 {
			return false
		}
		if !trial.hasMore {
			return true
		}
	}
}

// A trial is one run of an operation on a server that breaks responses.
type trial struct {
	fault     *fault
	operation *operation
	first     int // number of the first request whose response is broken
	variant   int
	server    *server
	bucket    storage.Bucket // bucket without faults, to prepare and check the objects of this run
	err       error
	duration  time.Duration
	broken    int // number of broken responses
	hasMore   bool
	overtaken bool  // true if another writer replaced the object during the run
	otherErr  error // error of the other writer, or nil
}

// runTrial runs the operation on a server and a bucket of its own. The server breaks the response to request
// number firstBroken and all later ones, in the given variant of the fault.
func (s *suite) runTrial(t *testing.T, f fault, o operation, firstBroken, variant int) *trial {
	t.Helper()
	server := newServer(t, s.store.Server, o.keyed)
	defer server.Close()
	opts := []storage.OpenOption{storage.WithRetry(storage.RetryPolicy{Attempts: max(1, f.attempts), Stall: f.stall})}
	if o.marked {
		// Removals then leave delete markers.
		opts = append(opts, storage.WithVersioning(true))
	}

	// An operation on the account uses a service in place of the bucket.
	if o.account != nil {
		service := engine.NewService(s.store.OpenService(t, server.URL), opts...)
		defer service.Close()
		o.do = func(ctx context.Context, _ storage.Bucket) error { return o.account(ctx, s, service) }
	}

	b := engine.New(s.store.Open(t, server.URL), opts...)
	defer func() { _ = storage.Close(b) }()
	return s.runTrialOn(t, server, b, f, o, firstBroken, variant)
}

// runTrialOn runs the operation on the bucket b of the server, and checks its result. The server breaks
// the response to request number firstBroken and all later ones, in the given variant of the fault.
func (s *suite) runTrialOn(
	t *testing.T, server *server, b storage.Bucket, f fault, o operation, firstBroken, variant int,
) *trial {
	t.Helper()

	// Each trial has a folder of its own.
	prefix := fmt.Sprintf("hostile/%d/", s.tries.Add(1))
	r := &trial{
		fault:     &f,
		operation: &o,
		first:     firstBroken,
		variant:   variant,
		server:    server,
		bucket:    storage.Prefixed(s.reliable, prefix),
	}

	// Store what the operation needs.
	ctx, cancel := context.WithTimeout(t.Context(), 2*f.maxTime())
	defer cancel()
	if o.prepare != nil {
		require.NoError(t, o.prepare(ctx, r.bucket))
	}
	if o.undo != nil {
		defer func() { require.NoError(t, o.undo(ctx, r.bucket)) }()
	}

	// Before the server sends the first broken response to a write, it calls otherWriter.
	server.begin(&f, firstBroken, variant)
	server.otherWriter = nil
	if o.otherWriter != nil {
		server.otherWriter = func() {
			r.otherErr = o.otherWriter(ctx, r.bucket)
			r.overtaken = true
		}
	}

	// Run the operation while the server breaks responses.
	start := time.Now()
	r.err = o.do(ctx, storage.Prefixed(b, prefix))
	r.duration = time.Since(start)
	r.broken, r.hasMore = server.end()
	r.requireAllowed(t)
	return r
}

// String describes the trial for a failure message.
func (r *trial) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the response to request %d was broken", r.first)
	if r.variant > 0 {
		fmt.Fprintf(&b, " (variant %d)", r.variant)
	}
	for i, line := range r.server.lines() {
		fmt.Fprintf(&b, "\n%d  %s", i+1, line)
	}
	fmt.Fprintf(&b, "\nthe error is: %v", r.err)
	return b.String()
}
