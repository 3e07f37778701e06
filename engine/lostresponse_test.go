package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// finalWrites are the driver calls that change which object a key has.
const finalWrites = faults.Put | faults.CompleteParts | faults.Copy | faults.Compose | faults.Move | faults.Delete |
	faults.DeleteBatch

// A witness counts the final writes that took effect. After the first one, it calls rival once.
type witness struct {
	driver.Driver
	applied atomic.Int32
	rival   func()
}

func (d *witness) saw(err error) {
	if err == nil && d.applied.Add(1) == 1 && d.rival != nil {
		d.rival()
	}
}

func (d *witness) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	a, err := d.Driver.Put(ctx, r)
	d.saw(err)
	return a, err
}

func (d *witness) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	a, err := d.Driver.CompleteParts(ctx, r)
	d.saw(err)
	return a, err
}

func (d *witness) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	a, err := d.Driver.Copy(ctx, r)
	d.saw(err)
	return a, err
}

func (d *witness) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	a, err := d.Driver.Compose(ctx, r)
	d.saw(err)
	return a, err
}

func (d *witness) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	a, err := d.Driver.Move(ctx, r)
	d.saw(err)
	return a, err
}

func (d *witness) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	err := d.Driver.Delete(ctx, r)
	d.saw(err)
	return err
}

func (d *witness) DeleteBatch(ctx context.Context, rs []driver.DeleteRequest) []error {
	errs := d.Driver.DeleteBatch(ctx, rs)
	d.saw(errors.Join(errs...))
	return errs
}

// A lostWrite is an operation whose response is lost.
type lostWrite struct {
	name string
	// guarded is true if the operation must take effect at most once: it has a condition, or it
	// sets one.
	guarded bool
	// adds is true if the operation adds "M" to the content of "k", and keeps what others have added.
	adds bool
	do   func(ctx context.Context, b storage.Bucket, revision string) error
}

func lostWrites() []lostWrite {
	upload := func(key, body string, opts ...storage.UploadOption) func(context.Context, storage.Bucket) error {
		return func(ctx context.Context, b storage.Bucket) error {
			_, err := b.Upload(ctx, key, strings.NewReader(body), opts...)
			return err
		}
	}
	always := func(do func(context.Context, storage.Bucket) error) func(context.Context, storage.Bucket, string) error {
		return func(ctx context.Context, b storage.Bucket, _ string) error { return do(ctx, b) }
	}
	long := strings.Repeat("M", 3<<10)
	parts := storage.WithPartSize(1 << 10)
	return []lostWrite{
		{name: "Upload", do: always(upload("k", "M"))},
		{name: "Upload in parts", do: always(upload("k", long, parts))},
		{name: "Upload IfAbsent", guarded: true, do: always(upload("new", "M", storage.IfAbsent()))},
		{
			name:    "Upload in parts IfAbsent",
			guarded: true,
			do:      always(upload("new", long, parts, storage.IfAbsent())),
		},
		{
			name:    "Upload IfRevision",
			guarded: true,
			do: func(ctx context.Context, b storage.Bucket, revision string) error {
				return upload("k", "M", storage.IfRevision(revision))(ctx, b)
			},
		},
		{
			name:    "Upload in parts IfRevision",
			guarded: true,
			do: func(ctx context.Context, b storage.Bucket, revision string) error {
				return upload("k", long, parts, storage.IfRevision(revision))(ctx, b)
			},
		},
		{
			name:    "Update",
			guarded: true,
			adds:    true,
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				add := func(old []byte, _ *storage.Attrs) ([]byte, error) { return append(old, 'M'), nil }
				_, err := storage.Update(ctx, b, "k", add)
				return err
			},
		},
		{
			name:    "Append",
			guarded: true,
			adds:    true,
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := storage.Append(ctx, b, "k", []byte("M"))
				return err
			},
		},
		{
			name:    "Append to a missing object",
			guarded: true,
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := storage.Append(ctx, b, "new", []byte("M"))
				return err
			},
		},
		{
			name:    "Append IfRevision",
			guarded: true,
			adds:    true,
			do: func(ctx context.Context, b storage.Bucket, revision string) error {
				_, err := storage.Append(ctx, b, "k", []byte("M"), storage.IfRevision(revision))
				return err
			},
		},
		{
			name: "Copy",
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := storage.Copy(ctx, b, "other", b, "k")
				return err
			},
		},
		{
			name:    "Copy IfAbsent",
			guarded: true,
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := storage.Copy(ctx, b, "new", b, "k", storage.IfAbsent())
				return err
			},
		},
		{
			name: "Copy onto itself",
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := storage.Copy(ctx, b, "k", b, "k", storage.WithContentType("text/x-test"))
				return err
			},
		},
		{
			name:    "Compose IfRevision",
			guarded: true,
			do: func(ctx context.Context, b storage.Bucket, revision string) error {
				_, err := storage.Compose(ctx, b, "k", []string{"k", "other"}, storage.IfRevision(revision))
				return err
			},
		},
		{
			name: "Compose",
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := storage.Compose(ctx, b, "k", []string{"k", "other"})
				return err
			},
		},
		{
			name: "Move",
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := storage.Move(ctx, b, "other", "k")
				return err
			},
		},
		{
			name: "Move IfAbsent",
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := storage.Move(ctx, b, "other", "new", storage.IfAbsent())
				return err
			},
		},
		{
			name: "Remove",
			do:   func(ctx context.Context, b storage.Bucket, _ string) error { return b.Remove(ctx, "k") },
		},
		{
			name: "Remove IfRevision",
			do: func(ctx context.Context, b storage.Bucket, revision string) error {
				return b.Remove(ctx, "k", storage.IfRevision(revision))
			},
		},
		{
			name:    "Complete",
			guarded: true,
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				u, err := storage.BeginUpload(ctx, b, "k")
				if err != nil {
					return err
				}
				if _, err := u.PutPart(ctx, 1, strings.NewReader("M")); err != nil {
					return err
				}
				_, err = u.Complete(ctx)
				return err
			},
		},
	}
}

// TestLostResponses loses the response of each write, and lets the reads after it fail. The error,
// or its absence, must tell what the write has done: nil if it took effect, OutcomeUnknown if that
// cannot be known, and any other error only if nothing was written. A write with a condition takes
// effect once.
func TestLostResponses(t *testing.T) {
	stores := []struct {
		name  string
		lacks storage.Features
	}{
		{"memory", 0},
		{"no ServerAppend", storage.ServerAppend},
		{"no server", storage.ServerAppend | storage.ServerCopy | storage.ServerCompose | storage.ServerMove},
		{"no Metadata", storage.Metadata},
		{"no UniqueRevisions", storage.UniqueRevisions},
		{"no ConditionalRemove", storage.ConditionalRemove | storage.ServerMove},
	}
	refusal := &storage.Error{
		Code:      storage.Unavailable,
		Status:    http.StatusServiceUnavailable,
		Retryable: true,
	}
	lost := []struct {
		name     string
		response error
		writers  int
	}{
		{"no response", nil, 1},
		{"no response", nil, 2},
		{"503", refusal, 1},
	}
	for _, store := range stores {
		for _, tt := range lostWrites() {
			t.Run(store.name+"/"+tt.name, func(t *testing.T) {
				for _, loss := range lost {
					if loss.response != nil && store.lacks == storage.Metadata {
						continue // without a write id, nothing shows that the promise was broken
					}
					for reads := range 13 {
						name := fmt.Sprintf("%s, %d writers, %d failing reads", loss.name,
							loss.writers, reads)
						run := lostRun{tt, store.lacks, loss.response, loss.writers, reads, name}
						synctest.Test(t, run.test)
					}
				}
			})
		}
	}
}

// A lostRun is one case of TestLostResponses.
type lostRun struct {
	write    lostWrite
	lacks    storage.Features
	response error // what the caller gets in place of the response, or nil
	writers  int
	reads    int // number of reads that fail after the response was lost
	name     string
}

// permitted reports whether err may be the error of a write that took effect, although it is not
// OutcomeUnknown. A store that sends 503 has promised that it did nothing, and only conflicts show
// that it did. An object of another writer refuses IfAbsent. An error of Move with the old key says
// that only the removal failed.
func (c *lostRun) permitted(err error) bool {
	if c.response != nil {
		return storage.CodeOf(err) == storage.Unavailable
	}
	if c.writers == 2 && errors.Is(err, fs.ErrExist) {
		return true
	}
	e, ok := errors.AsType[*storage.Error](err)
	return ok && e.Op == "Move" && e.Key == "other"
}

func (c *lostRun) test(t *testing.T) {
	ctx := t.Context()
	store := memstore.NewDriver(memstore.Config{})
	other := engine.New(store)
	attrs, err := other.Upload(ctx, "k", strings.NewReader("0"))
	require.NoError(t, err)
	_, err = other.Upload(ctx, "other", strings.NewReader("M"))
	require.NoError(t, err)

	injected := faults.New()
	w := &witness{Driver: store}
	b := engine.New(w, driver.WithLayer(injected.Layer()), lacking(c.lacks))
	if !storage.Supports(b, storage.Metadata) && c.write.name == "Complete" {
		return // such a store has no open uploads
	}
	drop := faults.DropResponse(finalWrites).Nth(1)
	if c.response != nil {
		drop = drop.WithError(c.response)
	}
	injected.Set(drop)
	w.rival = func() {
		injected.Set(faults.Fail(faults.Head | faults.Get).First(c.reads))
		if c.writers == 1 {
			return
		}
		for _, key := range []string{"k", "new"} {
			if _, err := storage.Append(ctx, other, key, []byte("R")); err != nil {
				panic(err)
			}
		}
	}
	err = c.write.do(ctx, b, attrs.Revision)
	applied := int(w.applied.Load())
	unknown := errors.Is(err, storage.OutcomeUnknown)

	switch {
	case err == nil:
		require.Positive(t, applied, c.name)
	case c.permitted(err):
	case !unknown:
		require.Zero(t, applied, "%s: %v", c.name, err)
	}

	if !c.write.guarded {
		return
	}
	require.LessOrEqual(t, applied, 1, "%s: %v", c.name, err)

	if !c.write.adds {
		return
	}
	text, _, err := storage.ReadAll(ctx, other, "k")
	require.NoError(t, err)
	require.Equal(t, applied, strings.Count(string(text), "M"), "%s: %s", c.name, text)
	require.Equal(t, c.writers-1, strings.Count(string(text), "R"), "%s: %s", c.name, text)
}
