package components_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
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

// A store keeps an object, and the marker of one open upload to its key.
type store struct {
	driver.Driver
	t      *testing.T
	prefix string
}

func newStore(t *testing.T) *store {
	s := &store{memstore.NewDriver(memstore.Config{}), t, "parts/id/"}
	s.put(&driver.PutRequest{Key: components.Marker(s.prefix), Properties: storage.Properties{Metadata: components.MarkerMetadata(key)}}, "")
	return s
}

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

// A call is one call of Complete, with what happens in it.
type call struct {
	name      string
	condition storage.Condition
	before    func() // the object is made
	after     func() error
	keeps     bool // the marker cannot be removed
	busy      int  // how often the store is busy when it should be removed
}

func (s *store) complete(ctx context.Context, c call) error {
	r := &driver.CompleteRequest{Call: c.name, Put: &driver.PutRequest{
		Key:        key,
		Condition:  c.condition,
		Properties: storage.Properties{Metadata: map[string]string{writeID: "1"}},
	}}
	run := components.Completion{
		Store:   s,
		Marker:  components.Marker(s.prefix),
		Prepare: func(context.Context) error { return nil },
		Commit: func(_ context.Context, condition storage.Condition) (*storage.Attrs, error) {
			if c.before != nil {
				c.before()
			}
			put := *r.Put
			put.Condition = condition
			a, err := s.put(&put, content)
			if err == nil && c.after != nil {
				err = c.after()
			}
			return a, err
		},
		Drop: func(ctx context.Context) error {
			if c.keeps {
				return storage.PermissionDenied
			}
			c.busy--
			if c.busy >= 0 {
				return busy
			}
			return s.Delete(ctx, &driver.DeleteRequest{Key: components.Marker(s.prefix)})
		},
	}
	_, err := run.Run(ctx, r)
	return err
}

var (
	lost = &storage.Error{Code: storage.Unavailable, Retryable: true, Unknown: true}
	busy = &storage.Error{Code: storage.RateLimited, Retryable: true}
)

// killed makes a call end between the object and everything that follows it.
func (s *store) killed(c call) {
	s.t.Helper()
	c.after = func() error {
		panic("killed")
	}
	require.Panics(s.t, func() {
		_ = s.complete(s.t.Context(), c)
	})
}

// If a completion is repeated after it made the object, it makes no second one.
func TestCompletionOnce(t *testing.T) {
	tests := []struct {
		name  string
		first func(s *store) // makes the object
	}{
		{"the marker stays", func(s *store) {
			require.NoError(s.t, s.complete(s.t.Context(), call{name: "one", keeps: true}))
		}},
		{"the call ends with the object", func(s *store) {
			s.killed(call{name: "one"})
		}},
		{"the response is lost and the marker stays", func(s *store) {
			require.NoError(s.t, s.complete(s.t.Context(), call{
				name:  "one",
				keeps: true,
				after: func() error { return lost },
			}))
		}},
		{"the object is made and the store says that it is busy", func(s *store) {
			require.NoError(s.t, s.complete(s.t.Context(), call{
				name:  "one",
				keeps: true,
				after: func() error { return busy },
			}))
		}},
	}
	for _, tt := range tests {
		for _, oldText := range []string{"", "there before"} {
			for _, condition := range []storage.Condition{{}, {Absent: true}} {
				for _, newText := range []string{"", "newer"} {
					if condition.Absent && oldText != "" {
						continue
					}
					t.Run(tt.name+", "+oldText+", "+newText, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							s := newStore(t)
							if oldText != "" {
								s.write(oldText)
							}

							tt.first(s)
							require.Equal(t, content, s.content())
							require.ErrorIs(t, s.complete(t.Context(), call{name: "two", keeps: true}),
								storage.ObjectNotFound, "the engine finds the object")
							require.Equal(t, content, s.content())

							s.remove()
							if newText != "" {
								s.write(newText)
							}
							for _, name := range []string{"two", "three"} {
								require.ErrorIs(t, s.complete(t.Context(),
									call{name: name, condition: condition}), storage.ObjectNotFound)
								require.Equal(t, newText, s.content())
							}
						})
					})
				}
			}
		}
	}
}

// If the store is busy for a moment, a completion still removes the parts, which would be billed.
func TestCompletionRemovesPartsOfBusyStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		require.NoError(t, s.complete(t.Context(), call{name: "one", busy: 2}))
		_, err := s.Head(t.Context(), &driver.GetRequest{Key: components.Marker(s.prefix), Length: -1})
		require.ErrorIs(t, err, storage.ObjectNotFound)
	})
}

// If a completion failed without making the object, a repeated one makes it.
func TestCompletionRepeated(t *testing.T) {
	refuse := func(s *store, c call) {
		s.t.Helper()
		stop := errors.New("stop")
		c.before = func() {
			panic(stop)
		}
		require.PanicsWithValue(s.t, stop, func() {
			_ = s.complete(s.t.Context(), c)
		})
	}
	tests := []struct {
		name   string
		before string
		first  func(s *store)
	}{
		{"a condition that failed", "", func(s *store) {
			s.write("in the way")
			require.ErrorIs(s.t, s.complete(s.t.Context(),
				call{name: "one", condition: storage.Condition{Absent: true}}), storage.PreconditionFailed)
			s.remove()
		}},
		{"a call that ended before the object, which replaces another one", "there before", func(s *store) {
			refuse(s, call{name: "two"})
		}},
		{"the same call, without an object", "", func(s *store) {
			refuse(s, call{name: "one"})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t)
				if tt.before != "" {
					s.write(tt.before)
				}
				tt.first(s)
				require.NoError(t, s.complete(t.Context(), call{name: "one"}))
				require.Equal(t, content, s.content())
			})
		})
	}
}

// If the request that makes the object never arrives, the upload stays as it was.
func TestCompletionRequestLost(t *testing.T) {
	for _, oldText := range []string{"", "there before"} {
		s := newStore(t)
		if oldText != "" {
			s.write(oldText)
		}
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
		require.NoError(t, s.complete(t.Context(), call{name: "two"}))
		require.Equal(t, content, s.content())
	}
}

// If other clients write the key during a completion without a condition, the completion replaces
// their objects.
func TestCompletionReplacesOtherWrites(t *testing.T) {
	for _, writes := range []int{0, 1, 3, 10} {
		s := newStore(t)
		remaining := writes
		require.NoError(t, s.complete(t.Context(), call{
			name: "one",
			before: func() {
				remaining--
				if remaining >= 0 {
					s.write("another")
				}
			},
		}))
		require.Equal(t, content, s.content())
	}
}

// If several calls complete one upload at the same time, they make one object.
func TestCompletionConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		var mu sync.Mutex
		count, told := 0, 0

		var group sync.WaitGroup
		for _, name := range []string{"one", "two", "three", "four"} {
			group.Go(func() {
				err := s.complete(t.Context(), call{
					name: name,
					after: func() error {
						mu.Lock()
						defer mu.Unlock()
						count++
						return nil
					},
				})
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					told++
					return
				}
				require.ErrorIs(t, err, storage.ObjectNotFound, "the engine finds the object")
			})
		}
		group.Wait()
		require.Equal(t, 1, count)
		require.Equal(t, 1, told)
		require.Equal(t, content, s.content())
	})
}
