package storage_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// An againDriver makes the object of an open upload and then removes its parts, as drivers do that
// keep parts as objects: two calls at once would make it twice.
type againDriver struct {
	storage.Driver
	before, after func(ctx context.Context, call int) // of the write of the object; nil: nothing
	lost          int                                 // how many of the first calls lose their responses
	noHead        bool                                // the attributes may not be read

	mu         sync.Mutex
	parts      map[int][]byte
	conditions []storage.Condition // of each call
}

func (d *againDriver) Describe() storage.Description {
	desc := d.Driver.Describe()
	desc.NonIdempotentCompletion = true
	return desc
}

func (d *againDriver) PutPart(ctx context.Context, r *storage.PartRequest) (storage.Part, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return storage.Part{}, err
	}
	d.mu.Lock()
	d.parts[r.Number] = data
	d.mu.Unlock()
	again := *r
	again.Body = bytes.NewReader(data)
	return d.Driver.PutPart(ctx, &again)
}

func (d *againDriver) CompleteParts(ctx context.Context, r *storage.CompleteRequest) (*storage.Attrs, error) {
	d.mu.Lock()
	d.conditions = append(d.conditions, r.Put.Condition)
	call := len(d.conditions)
	var whole []byte
	for _, number := range slices.Sorted(maps.Keys(d.parts)) {
		whole = append(whole, d.parts[number]...)
	}
	d.mu.Unlock()
	put := *r.Put
	put.Body, put.AnyOrder = bytes.NewReader(whole), false
	if d.before != nil {
		d.before(ctx, call)
	}
	attrs, err := d.Driver.Put(ctx, &put)
	if err != nil {
		return nil, err
	}
	if call <= d.lost {
		return nil, &storage.Error{Code: storage.Unavailable, Retryable: true, Unknown: true}
	}
	if d.after != nil {
		d.after(ctx, call)
	}
	return attrs, d.Driver.AbortParts(ctx, put.Key, r.Upload)
}

func (d *againDriver) Head(ctx context.Context, r *storage.GetRequest) (*storage.Attrs, error) {
	if d.noHead {
		return nil, storage.PermissionDenied
	}
	return d.Driver.Head(ctx, r)
}

func newAgainBucket(t *testing.T) (*againDriver, storage.Bucket, *storage.MultipartUpload) {
	t.Helper()
	d := &againDriver{Driver: memstore.NewDriver(memstore.Config{}), parts: map[int][]byte{}}
	b := storage.New(d)
	u := beginUpload(t, b)
	for number, text := range []string{"first ", "second"} {
		_, err := u.PutPart(t.Context(), number+1, strings.NewReader(text))
		require.NoError(t, err)
	}
	return d, b, u
}

func TestCompletionsAtOnceMakeOneObject(t *testing.T) {
	for _, row := range []struct {
		name string
		at   func(d *againDriver, run func(ctx context.Context, call int))
	}{
		{"while the other one has not begun to write", func(d *againDriver, run func(context.Context, int)) { d.before = run }},
		{"while the parts of the other one are still there", func(d *againDriver, run func(context.Context, int)) { d.after = run }},
	} {
		t.Run(row.name, func(t *testing.T) {
			d, b, u := newAgainBucket(t)
			var other *storage.Attrs
			row.at(d, func(ctx context.Context, call int) {
				if call > 1 {
					return
				}
				again, err := storage.ContinueUpload(ctx, b, u.Token())
				require.NoError(t, err)
				other, err = again.Complete(ctx)
				require.NoError(t, err)
			})
			made, err := u.Complete(t.Context())
			require.NoError(t, err)
			require.Equal(t, made.Revision, other.Revision)
			data, attrs, err := storage.ReadAll(t.Context(), b, "key")
			require.NoError(t, err)
			require.Equal(t, "first second", string(data))
			require.Equal(t, made.Revision, attrs.Revision)
			require.Equal(t, storage.Condition{Absent: true}, d.conditions[0])
		})
	}
}

// Other writes to the key do not make a completion fail that has no condition.
func TestACompletionReplacesWhatOthersWriteMeanwhile(t *testing.T) {
	for _, writes := range []int{0, 1, 3, 10} {
		d, b, u := newAgainBucket(t)
		d.before = func(ctx context.Context, call int) {
			if call <= writes {
				_, err := b.Upload(ctx, "key", strings.NewReader("another"))
				require.NoError(t, err)
			}
		}
		made, err := u.Complete(t.Context())
		require.NoError(t, err, "%d writes", writes)
		data, attrs, err := storage.ReadAll(t.Context(), b, "key")
		require.NoError(t, err)
		require.Equal(t, "first second", string(data))
		require.Equal(t, made.Revision, attrs.Revision)
		require.Len(t, d.conditions, min(writes+1, 4))
	}
}

func TestACompletionKeepsItsOwnCondition(t *testing.T) {
	d := &againDriver{Driver: memstore.NewDriver(memstore.Config{}), parts: map[int][]byte{}}
	b := storage.New(d)
	u := beginUpload(t, b, storage.IfAbsent())
	_, err := u.PutPart(t.Context(), 1, strings.NewReader("text"))
	require.NoError(t, err)
	d.before = func(ctx context.Context, call int) {
		_, err := b.Upload(ctx, "key", strings.NewReader("another"))
		require.NoError(t, err)
	}
	_, err = u.Complete(t.Context())
	require.ErrorIs(t, err, storage.PreconditionFailed)
	require.Len(t, d.conditions, 1)
}

// A completion whose responses are lost has made the object once.
func TestACompletionWhoseResponseIsLostMakesOneObject(t *testing.T) {
	for _, there := range []bool{false, true} {
		for lost := 1; lost <= 2; lost++ {
			d, b, u := newAgainBucket(t)
			d.lost = lost
			if there {
				_, err := b.Upload(t.Context(), "key", strings.NewReader("another"))
				require.NoError(t, err)
			}
			var first *storage.Attrs
			d.before = func(ctx context.Context, call int) {
				if call == 2 {
					var err error
					first, err = b.Attrs(ctx, "key")
					require.NoError(t, err)
				}
			}
			made, err := u.Complete(t.Context())
			require.NoError(t, err)
			data, attrs, err := storage.ReadAll(t.Context(), b, "key")
			require.NoError(t, err)
			require.Equal(t, "first second", string(data))
			require.Equal(t, made.Revision, attrs.Revision)
			require.Equal(t, first.Revision, made.Revision)
			again, err := u.Complete(t.Context())
			require.NoError(t, err)
			require.Equal(t, made.Revision, again.Revision)
		}
	}
}

// Without permission to read, a completion has no condition.
func TestACompletionWithoutPermissionToRead(t *testing.T) {
	d, b, u := newAgainBucket(t)
	_, err := b.Upload(t.Context(), "key", strings.NewReader("another"))
	require.NoError(t, err)
	d.noHead = true
	_, err = u.Complete(t.Context())
	require.NoError(t, err)
	require.Equal(t, []storage.Condition{{}}, d.conditions)
	d.noHead = false
	data, _, err := storage.ReadAll(t.Context(), b, "key")
	require.NoError(t, err)
	require.Equal(t, "first second", string(data))
}
