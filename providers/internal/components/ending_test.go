package components_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/components"
)

// An ending is a store that cancels the caller's context at one request, before or after its effect.
type ending struct {
	driver.Driver
	at       int  // the number of that request
	after    bool // after its effect
	cancel   context.CancelFunc
	requests int
}

// request sends a request. The request has an effect unless the context ended before it.
func (e *ending) request(ctx context.Context, effect func() error) error {
	e.requests++
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e.requests != e.at {
		return effect()
	}
	if e.after {
		_ = effect()
	}
	e.cancel()
	return ctx.Err()
}

// Put stores an object. It is one request.
func (e *ending) Put(ctx context.Context, r *driver.PutRequest) (a *storage.Attrs, err error) {
	err = e.request(ctx, func() error {
		a, err = e.Driver.Put(ctx, r)
		return err
	})
	return a, err
}

// Head returns the attributes of an object. It is one request.
func (e *ending) Head(ctx context.Context, r *driver.GetRequest) (a *storage.Attrs, err error) {
	err = e.request(ctx, func() error {
		a, err = e.Driver.Head(ctx, r)
		return err
	})
	return a, err
}

// If the caller cancels a completion at any request, another call can still make the object.
func TestCompletionCallerGivesUp(t *testing.T) {
	// A completion sends three requests: they read the marker, read the key and write the decision.
	const requests = 3
	for number := 1; number <= requests; number++ {
		for _, afterEffect := range []bool{false, true} {
			t.Run(fmt.Sprintf("request %d, after its effect: %v", number, afterEffect), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					testCompletionCanceled(t, number, afterEffect)
				})
			})
		}
	}
}

// testCompletionCanceled cancels a completion at the request with this number, and completes the upload by another call.
func testCompletionCanceled(t *testing.T, number int, afterEffect bool) {
	s := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	d := &ending{Driver: s.Driver, at: number, after: afterEffect, cancel: cancel}
	createObject := func(ctx context.Context, condition storage.Condition) (*storage.Attrs, error) {
		return d.Put(ctx, &driver.PutRequest{
			Key:       key,
			Body:      strings.NewReader(content),
			Size:      int64(len(content)),
			Condition: condition,
		})
	}
	canceled := components.Completion{
		Store:   d,
		Marker:  components.Marker(s.prefix),
		Prepare: func(context.Context) error { return nil },
		Commit:  createObject,
	}

	_, err := canceled.Run(ctx, &driver.CompleteRequest{Call: "one", Put: &driver.PutRequest{Key: key}})
	require.ErrorIs(t, err, context.Canceled)

	require.NoError(t, s.complete(t.Context(), call{name: "two"}))
	require.Equal(t, content, s.content())
}
