package components_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/internal/components"
)

const (
	key     = "a"
	content = "of the upload"
	writeID = "omnibucketwriteid"
)

// A store keeps one object, and the marker of one open upload of this object.
type store struct {
	driver.Driver
	t      *testing.T
	prefix string
}

// newStore returns a store with the marker of an upload.
func newStore(t *testing.T) *store {
	s := &store{memstore.NewDriver(memstore.Config{}), t, "parts/id/"}
	_, err := s.put(&driver.PutRequest{
		Key:        components.Marker(s.prefix),
		Properties: storage.Properties{Metadata: components.MarkerMetadata(key)},
	}, "")
	require.NoError(t, err)
	return s
}

// put stores an object with a text.
func (s *store) put(r *driver.PutRequest, text string) (*storage.Attrs, error) {
	r.Body = strings.NewReader(text)
	r.Size = int64(len(text))
	return s.Put(s.t.Context(), r)
}

// write stores another writer's object.
func (s *store) write(text string) {
	_, err := s.put(&driver.PutRequest{Key: key}, text)
	require.NoError(s.t, err)
}

// remove removes the object.
func (s *store) remove() {
	require.NoError(s.t, s.Delete(s.t.Context(), &driver.DeleteRequest{Key: key}))
}

// content returns the object, or "".
func (s *store) content() string {
	_, body, err := s.Get(s.t.Context(), &driver.GetRequest{Key: key, Length: -1})
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return ""
	}
	require.NoError(s.t, err)
	var text bytes.Buffer
	_, err = text.ReadFrom(body)
	require.NoError(s.t, errors.Join(err, body.Close()))
	return text.String()
}

// A call is one call of Complete, with what happens during it.
type call struct {
	name      string
	condition storage.Condition
	before    func()       // is called before the object is made; may be nil
	after     func() error // is called after it, and may return an error; may be nil
	keeps     bool         // the marker cannot be removed
	busy      int          // how often the store is busy when the marker should be removed
}

// complete completes the upload, as the call describes it.
func (s *store) complete(ctx context.Context, c call) error {
	request := &driver.CompleteRequest{
		Call: c.name,
		Put: &driver.PutRequest{
			Key:        key,
			Condition:  c.condition,
			Properties: storage.Properties{Metadata: map[string]string{writeID: "1"}},
		},
	}
	createObject := func(_ context.Context, condition storage.Condition) (*storage.Attrs, error) {
		if c.before != nil {
			c.before()
		}
		put := *request.Put
		put.Condition = condition
		attrs, err := s.put(&put, content)
		if err != nil || c.after == nil {
			return attrs, err
		}
		return attrs, c.after()
	}
	removeMarker := func(ctx context.Context) error {
		if c.keeps {
			return storage.PermissionDenied
		}
		if c.busy > 0 {
			c.busy--
			return busy
		}
		return s.Delete(ctx, &driver.DeleteRequest{Key: components.Marker(s.prefix)})
	}

	completion := components.Completion{
		Store:   s,
		Marker:  components.Marker(s.prefix),
		Prepare: func(context.Context) error { return nil },
		Commit:  createObject,
		Drop:    removeMarker,
	}
	_, err := completion.Run(ctx, request)
	return err
}

var (
	lost = &storage.Error{Code: storage.Unavailable, Retryable: true, Unknown: true}
	busy = &storage.Error{Code: storage.RateLimited, Retryable: true}
)

// completeAndDie makes the object, and ends the call before anything that follows, as if the process were killed.
func (s *store) completeAndDie(name string) {
	s.t.Helper()
	die := func() error {
		panic("killed")
	}
	require.Panics(s.t, func() {
		_ = s.complete(s.t.Context(), call{name: name, after: die})
	})
}

// dieBeforeObject ends the call before it makes the object.
func (s *store) dieBeforeObject(name string) {
	s.t.Helper()
	die := func() {
		panic("killed")
	}
	require.PanicsWithValue(s.t, "killed", func() {
		_ = s.complete(s.t.Context(), call{name: name, before: die})
	})
}

// If a completion is repeated after it has made the object, it makes no second one, even if the object was removed or
// replaced since. Each case is a way in which the first call can leave the marker of the upload.
func TestCompletionOnce(t *testing.T) {
	tests := []struct {
		name     string
		first    call // makes the object
		isKilled bool // the process ends as soon as the object is made
	}{
		{name: "the marker cannot be removed", first: call{name: "one", keeps: true}},
		{name: "the call is killed after it made the object", first: call{name: "one"}, isKilled: true},
		{
			name:  "the response is lost and the marker stays",
			first: call{name: "one", keeps: true, after: func() error { return lost }},
		},
		{
			name:  "the object is made and the store says that it is busy",
			first: call{name: "one", keeps: true, after: func() error { return busy }},
		},
	}
	createOnly := storage.Condition{Absent: true}
	histories := []struct {
		name      string
		oldText   string            // of an object before the completion; "" if there is none
		newText   string            // of an object after the completion; "" if it is only removed
		condition storage.Condition // of the calls that are made after that
	}{
		{name: "then removed"},
		{name: "then replaced", newText: "newer"},
		{name: "an object before, then removed", oldText: "there before"},
		{name: "an object before, then replaced", oldText: "there before", newText: "newer"},
		{name: "then removed, create-only", condition: createOnly},
		{name: "then replaced, create-only", newText: "newer", condition: createOnly},
	}
	for _, tt := range tests {
		for _, history := range histories {
			t.Run(tt.name+", "+history.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					// The first call makes the object.
					s := newStore(t)
					if history.oldText != "" {
						s.write(history.oldText)
					}
					if tt.isKilled {
						s.completeAndDie(tt.first.name)
					} else {
						require.NoError(t, s.complete(t.Context(), tt.first))
					}
					require.Equal(t, content, s.content())

					// Another call fails with ObjectNotFound. After this error, the engine looks for the object, and
					// finds it.
					err := s.complete(t.Context(), call{name: "two", keeps: true})
					require.ErrorIs(t, err, storage.ObjectNotFound)
					require.Equal(t, content, s.content())

					// After the object was removed, or replaced by another write, no call makes it again.
					s.remove()
					if history.newText != "" {
						s.write(history.newText)
					}
					for _, name := range []string{"two", "three"} {
						err := s.complete(t.Context(), call{name: name, condition: history.condition})
						require.ErrorIs(t, err, storage.ObjectNotFound)
						require.Equal(t, history.newText, s.content())
					}
				})
			})
		}
	}
}

// A completion removes the marker and the parts, even if the store is busy for a moment. The store
// would bill for parts that are left.
func TestCompletionRemovesPartsOfBusyStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		require.NoError(t, s.complete(t.Context(), call{name: "one", busy: 2}))

		_, err := s.Head(t.Context(), &driver.GetRequest{Key: components.Marker(s.prefix), Length: -1})
		require.ErrorIs(t, err, storage.ObjectNotFound)
	})
}

// If a completion fails without making the object, the call "one" makes it later. The completion
// that failed was the call "one", too, or another call.
func TestCompletionRepeated(t *testing.T) {
	tests := []struct {
		name string
		fail func(s *store) // a completion that fails
	}{
		{
			name: "the same call, whose condition failed",
			fail: func(s *store) {
				s.write("in the way")
				err := s.complete(s.t.Context(), call{name: "one", condition: storage.Condition{Absent: true}})
				require.ErrorIs(s.t, err, storage.PreconditionFailed)
				s.remove()
			},
		},
		{
			name: "another call, killed before it replaced an object",
			fail: func(s *store) {
				s.write("there before")
				s.dieBeforeObject("two")
			},
		},
		{
			name: "the same call, killed before it made the object",
			fail: func(s *store) {
				s.dieBeforeObject("one")
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t)
				tt.fail(s)

				require.NoError(t, s.complete(t.Context(), call{name: "one"}))
				require.Equal(t, content, s.content())
			})
		})
	}
}

// If the request that makes the object never arrives, the upload stays as it was, and another call can complete it.
func TestCompletionRequestLost(t *testing.T) {
	tests := []struct {
		name string
		old  string // content of the object before the upload; "" if there is none
	}{
		{name: "no object before", old: ""},
		{name: "an object before", old: "there before"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t)
			if tt.old != "" {
				s.write(tt.old)
			}

			// The request of the first call is lost on its way: Commit changes nothing, but its outcome is unknown.
			failing := components.Completion{
				Store:   s,
				Marker:  components.Marker(s.prefix),
				Prepare: func(context.Context) error { return nil },
				Commit:  func(context.Context, storage.Condition) (*storage.Attrs, error) { return nil, lost },
			}
			_, err := failing.Run(t.Context(), &driver.CompleteRequest{
				Call: "one",
				Put:  &driver.PutRequest{Key: key},
			})
			require.ErrorIs(t, err, storage.Unavailable)

			// Another call completes the upload.
			require.NoError(t, s.complete(t.Context(), call{name: "two"}))
			require.Equal(t, content, s.content())
		})
	}
}

// A completion without a condition replaces the objects that other clients write at its key meanwhile.
func TestCompletionReplacesOtherWrites(t *testing.T) {
	for _, writes := range []int{0, 1, 3, 10} {
		t.Run(fmt.Sprintf("%d writes", writes), func(t *testing.T) {
			s := newStore(t)

			// Before each request of the completion, another client writes the key.
			remaining := writes
			writeAnother := func() {
				if remaining > 0 {
					remaining--
					s.write("another")
				}
			}

			require.NoError(t, s.complete(t.Context(), call{name: "one", before: writeAnother}))
			require.Equal(t, content, s.content())
		})
	}
}

// If several calls complete one upload at the same time, they make one object.
func TestCompletionConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		var objects atomic.Int64
		countObject := func() error {
			objects.Add(1)
			return nil
		}

		// Each call has another name, as if it came from another process.
		names := []string{"one", "two", "three", "four"}
		errs := make([]error, len(names))
		var group sync.WaitGroup
		for i, name := range names {
			group.Go(func() {
				errs[i] = s.complete(t.Context(), call{name: name, after: countObject})
			})
		}
		group.Wait()

		successes := 0
		for _, err := range errs {
			if err == nil {
				successes++
				continue
			}
			// With this Code, the engine looks for the object.
			require.ErrorIs(t, err, storage.ObjectNotFound)
		}
		require.Equal(t, 1, successes)
		require.EqualValues(t, 1, objects.Load())
		require.Equal(t, content, s.content())
	})
}
