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

// A writeCounter is a driver that counts the final writes that took effect. After the first one, it calls rival
// once.
type writeCounter struct {
	driver.Driver
	applied atomic.Int32
	rival   func()
}

func (d *writeCounter) count(err error) {
	if err != nil {
		return
	}
	if d.applied.Add(1) == 1 && d.rival != nil {
		d.rival()
	}
}

func (d *writeCounter) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Put(ctx, r)
	d.count(err)
	return attrs, err
}

func (d *writeCounter) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.CompleteParts(ctx, r)
	d.count(err)
	return attrs, err
}

func (d *writeCounter) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Copy(ctx, r)
	d.count(err)
	return attrs, err
}

func (d *writeCounter) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Compose(ctx, r)
	d.count(err)
	return attrs, err
}

func (d *writeCounter) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Move(ctx, r)
	d.count(err)
	return attrs, err
}

func (d *writeCounter) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	err := d.Driver.Delete(ctx, r)
	d.count(err)
	return err
}

func (d *writeCounter) DeleteBatch(ctx context.Context, rs []driver.DeleteRequest) []error {
	errs := d.Driver.DeleteBatch(ctx, rs)
	d.count(errors.Join(errs...))
	return errs
}

// A lostWrite is an operation whose response is lost.
type lostWrite struct {
	name string
	// guarded is true if the operation must take effect at most once, because it has a condition or, as Append does,
	// sets one itself.
	guarded bool
	// adds is true if the operation adds ownText to the content of "k", and keeps what others have added.
	adds bool
	do   func(ctx context.Context, b storage.Bucket, revision string) error
}

const (
	ownText   = "M" // what the write whose response is lost stores or appends
	rivalText = "R" // what the other writer appends
)

// uploadText stores an object with this content.
func uploadText(ctx context.Context, b storage.Bucket, key, text string, opts ...storage.UploadOption) error {
	_, err := b.Upload(ctx, key, strings.NewReader(text), opts...)
	return err
}

// lostWrites returns an operation for each way to write. The bucket has the objects "k" and "other", and none with the
// key "new". The revision is that of "k".
func lostWrites() []lostWrite {
	long := strings.Repeat(ownText, 3<<10)
	parts := storage.WithPartSize(1 << 10)
	return []lostWrite{
		{
			name: "Upload",
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				return uploadText(ctx, b, "k", ownText)
			},
		},
		{
			name: "Upload in parts",
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				return uploadText(ctx, b, "k", long, parts)
			},
		},
		{
			name:    "Upload IfAbsent",
			guarded: true,
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				return uploadText(ctx, b, "new", ownText, storage.IfAbsent())
			},
		},
		{
			name:    "Upload in parts IfAbsent",
			guarded: true,
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				return uploadText(ctx, b, "new", long, parts, storage.IfAbsent())
			},
		},
		{
			name:    "Upload IfRevision",
			guarded: true,
			do: func(ctx context.Context, b storage.Bucket, revision string) error {
				return uploadText(ctx, b, "k", ownText, storage.IfRevision(revision))
			},
		},
		{
			name:    "Upload in parts IfRevision",
			guarded: true,
			do: func(ctx context.Context, b storage.Bucket, revision string) error {
				return uploadText(ctx, b, "k", long, parts, storage.IfRevision(revision))
			},
		},
		{
			name:    "Update",
			guarded: true,
			adds:    true,
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				add := func(old []byte, _ *storage.Attrs) ([]byte, error) { return append(old, ownText...), nil }
				_, err := storage.Update(ctx, b, "k", add)
				return err
			},
		},
		{
			name:    "Append",
			guarded: true,
			adds:    true,
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := storage.Append(ctx, b, "k", []byte(ownText))
				return err
			},
		},
		{
			name:    "Append to a missing object",
			guarded: true,
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := storage.Append(ctx, b, "new", []byte(ownText))
				return err
			},
		},
		{
			name:    "Append IfRevision",
			guarded: true,
			adds:    true,
			do: func(ctx context.Context, b storage.Bucket, revision string) error {
				_, err := storage.Append(ctx, b, "k", []byte(ownText), storage.IfRevision(revision))
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
				multipart, err := storage.BeginUpload(ctx, b, "k")
				if err != nil {
					return err
				}
				if _, err := multipart.PutPart(ctx, 1, strings.NewReader(ownText)); err != nil {
					return err
				}
				_, err = multipart.Complete(ctx)
				return err
			},
		},
	}
}

// lostRuns returns the cases of one write to one store: each way to lose the response, with each number of reads that
// fail after it.
func lostRuns(write lostWrite, lacks storage.Features) []lostRun {
	refusal := &storage.Error{
		Code:      storage.Unavailable,
		Status:    http.StatusServiceUnavailable,
		Retryable: true,
	}
	losses := []lostRun{
		{name: "no response, 1 writer", response: nil, writers: 1},
		{name: "no response, 2 writers", response: nil, writers: 2},
		{name: "503, 1 writer", response: refusal, writers: 1},
	}
	const mostReads = 12 // more reads than any write makes after a lost response
	var runs []lostRun
	for _, run := range losses {
		// Without Metadata, an object has no write id, which would show that a refusal was wrong.
		isRefusal := run.response != nil
		if isRefusal && lacks == storage.Metadata {
			continue
		}
		for reads := range mostReads + 1 {
			runs = append(runs, lostRun{
				write:    write,
				lacks:    lacks,
				response: run.response,
				writers:  run.writers,
				reads:    reads,
				name:     fmt.Sprintf("%s, %d failing reads", run.name, reads),
			})
		}
	}
	return runs
}

// If the response to a write is lost, the error tells what the write has done. It is nil if the write took effect, and
// OutcomeUnknown if that cannot be known. Any other error means that nothing was written. A write with a condition
// takes effect once.
func TestLostResponses(t *testing.T) {
	stores := []struct {
		name  string
		lacks storage.Features
	}{
		{name: "memory", lacks: 0},
		{name: "no ServerAppend", lacks: storage.ServerAppend},
		{
			name:  "no copies or appends by the server",
			lacks: storage.ServerAppend | storage.ServerCopy | storage.ServerCompose | storage.ServerMove,
		},
		{name: "no Metadata", lacks: storage.Metadata},
		{name: "no UniqueRevisions", lacks: storage.UniqueRevisions},
		{name: "no ConditionalRemove", lacks: storage.ConditionalRemove | storage.ServerMove},
	}
	for _, store := range stores {
		for _, write := range lostWrites() {
			t.Run(store.name+"/"+write.name, func(t *testing.T) {
				// Each run makes the write, loses its response, and compares the error with what the store has. Between 0
				// and 12 of the next reads fail, so that the caller cannot learn at once what the write has done.
				for _, run := range lostRuns(write, store.lacks) {
					synctest.Test(t, run.test)
				}
			})
		}
	}
}

// A lostRun is one case of TestLostResponses.
type lostRun struct {
	write    lostWrite
	lacks    storage.Features
	response error // what the caller gets in place of the response; nil if it gets none
	writers  int   // 1, or 2 if another writer appends while the response is lost
	reads    int   // number of reads that fail after the response was lost
	name     string
}

// permitted reports whether err may be the error of a write that took effect, although it is not OutcomeUnknown. After
// a response 503, only Unavailable is permitted. If there are two writers, IfAbsent may find the object of the other
// one. An error of Move with the old key says that only the removal failed.
func (run *lostRun) permitted(err error) bool {
	if run.response != nil {
		return storage.CodeOf(err) == storage.Unavailable
	}
	if run.writers == 2 && errors.Is(err, fs.ErrExist) {
		return true
	}
	e, ok := errors.AsType[*storage.Error](err)
	return ok && e.Op == "Move" && e.Key == "other"
}

// test makes the write, loses its response, and compares the error with what the store has.
func (run *lostRun) test(t *testing.T) {
	ctx := t.Context()

	// The other writer stores the first objects.
	store := memstore.NewDriver(memstore.Config{})
	other := engine.New(store) // the bucket of the other writer
	attrs, err := other.Upload(ctx, "k", strings.NewReader("0"))
	require.NoError(t, err)
	_, err = other.Upload(ctx, "other", strings.NewReader(ownText))
	require.NoError(t, err)

	// The bucket of the write counts the writes that reach the same store.
	injected := faults.New()
	counter := &writeCounter{Driver: store}
	b := engine.New(counter, driver.WithLayer(injected.Layer()), withoutFeatures(run.lacks))
	if !storage.Supports(b, storage.Metadata) && run.write.name == "Complete" {
		return // such a store has no open uploads
	}

	// The response to the first write is lost. The reads after it fail, and the other writer appends.
	drop := faults.DropResponse(finalWrites).Nth(1)
	if run.response != nil {
		drop = drop.WithError(run.response)
	}
	injected.Set(drop)
	counter.rival = func() {
		injected.Set(faults.Fail(faults.Head | faults.Get).First(run.reads))
		if run.writers == 1 {
			return
		}
		for _, key := range []string{"k", "new"} {
			if _, err := storage.Append(ctx, other, key, []byte(rivalText)); err != nil {
				panic(err)
			}
		}
	}

	err = run.write.do(ctx, b, attrs.Revision)
	applied := int(counter.applied.Load())

	// The error says whether the write took effect.
	switch {
	case err == nil:
		require.Positive(t, applied, run.name)
	case run.permitted(err):
		// The error permits that the write took effect, and that it did not.
	case !errors.Is(err, storage.OutcomeUnknown):
		require.Zero(t, applied, "%s: %v", run.name, err)
	}

	// A write with a condition takes effect once.
	if !run.write.guarded {
		return
	}
	require.LessOrEqual(t, applied, 1, "%s: %v", run.name, err)

	// An operation with adds must keep the content that the other writer has added.
	if !run.write.adds {
		return
	}
	text, _, err := storage.ReadAll(ctx, other, "k")
	require.NoError(t, err)
	require.Equal(t, applied, strings.Count(string(text), ownText), "%s: %s", run.name, text)
	require.Equal(t, run.writers-1, strings.Count(string(text), rivalText), "%s: %s", run.name, text)
}
