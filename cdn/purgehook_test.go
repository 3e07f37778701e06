package cdn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cdn"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A recorder is a Purger that keeps the calls, and fails as it is told.
type recorder struct {
	mu    sync.Mutex
	calls [][]string
	purge func(ctx context.Context, urls []string) error // nil means success
}

// Purge records the URLs, and returns what r.purge returns.
func (r *recorder) Purge(ctx context.Context, urls []string) error {
	r.mu.Lock()
	r.calls = append(r.calls, urls)
	r.mu.Unlock()
	if r.purge != nil {
		return r.purge(ctx, urls)
	}
	return nil
}

// keys returns the keys of all calls, sorted.
func (r *recorder) keys() []string {
	var keys []string
	for _, call := range r.calls {
		for _, address := range call {
			keys = append(keys, strings.TrimPrefix(address, site))
		}
	}
	slices.Sort(keys)
	return keys
}

// A failure is a call of OnError.
type failure struct {
	urls []string
	err  error
}

// newPurgedBucket returns a bucket that purges, and the failures of its purges.
func newPurgedBucket(t *testing.T, r *recorder, opts ...storage.OpenOption) (storage.Bucket, *[]failure) {
	t.Helper()
	failures := new([]failure)
	hook, err := cdn.NewPurgeHook(cdn.PurgeConfig{
		Purger:  r,
		BaseURL: site,
		OnError: func(ctx context.Context, urls []string, err error) {
			if ctx.Err() != nil {
				err = errors.Join(err, errors.New("the context of OnError has ended"))
			}
			*failures = append(*failures, failure{urls, err})
		},
	})
	require.NoError(t, err)
	b := memstore.New(append(opts, storage.WithHook(hook))...)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b, failures
}

// put stores an object under each key.
func put(t *testing.T, b storage.Uploader, keys ...string) {
	t.Helper()
	for _, key := range keys {
		_, err := b.Upload(t.Context(), key, strings.NewReader(key))
		require.NoError(t, err)
	}
}

// versionsOf returns the versions of the objects whose keys begin with key.
func versionsOf(ctx context.Context, b storage.Bucket, key string) ([]storage.VersionEntry, error) {
	var all []storage.VersionEntry
	for v, err := range storage.Versions(ctx, b, storage.WithPrefix(key)) {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// errorOf returns the error of a call, without its result.
func errorOf[T any](_ T, err error) error { return err }

// Each operation purges the keys of the objects that it changes, and an operation that changes none purges nothing.
func TestPurgeHookOfEachOperation(t *testing.T) {
	tests := []struct {
		name string
		do   func(ctx context.Context, b storage.Bucket) error // the operation, in a bucket with the objects a and b
		want []string                                          // keys that are purged
	}{
		{
			name: "Upload",
			do: func(ctx context.Context, b storage.Bucket) error {
				return errorOf(b.Upload(ctx, "new", strings.NewReader("x")))
			},
			want: []string{"new"},
		},
		{
			name: "Writer",
			do: func(ctx context.Context, b storage.Bucket) error {
				return errorOf(storage.NewWriter(ctx, b, "new").Commit())
			},
			want: []string{"new"},
		},
		{
			name: "an upload in parts",
			do: func(ctx context.Context, b storage.Bucket) error {
				body := io.LimitReader(strings.NewReader(strings.Repeat("x", 3<<20)), 3<<20)
				return errorOf(b.Upload(ctx, "new", body, storage.WithPartSize(1<<20)))
			},
			want: []string{"new"},
		},
		{
			name: "Copy",
			do: func(ctx context.Context, b storage.Bucket) error {
				return errorOf(storage.Copy(ctx, b, "new", b, "a"))
			},
			want: []string{"new"},
		},
		{
			name: "new properties",
			do: func(ctx context.Context, b storage.Bucket) error {
				return errorOf(storage.Copy(ctx, b, "a", b, "a", storage.WithCacheControl("no-cache")))
			},
			want: []string{"a"},
		},
		{
			name: "Move",
			do: func(ctx context.Context, b storage.Bucket) error {
				return errorOf(storage.Move(ctx, b, "a", "new"))
			},
			want: []string{"a", "new"},
		},
		{
			name: "Move by copy",
			do: func(ctx context.Context, b storage.Bucket) error {
				return errorOf(storage.Move(ctx, b, "a", "new", storage.WithCacheControl("no-cache")))
			},
			want: []string{"a", "new"},
		},
		{
			name: "Compose",
			do: func(ctx context.Context, b storage.Bucket) error {
				return errorOf(storage.Compose(ctx, b, "new", []string{"a", "b"}))
			},
			want: []string{"new"},
		},
		{
			name: "Append",
			do: func(ctx context.Context, b storage.Bucket) error {
				return errorOf(storage.Append(ctx, b, "a", []byte("x")))
			},
			want: []string{"a"},
		},
		{
			name: "Update",
			do: func(ctx context.Context, b storage.Bucket) error {
				change := func([]byte, *storage.Attrs) ([]byte, error) { return []byte("x"), nil }
				return errorOf(storage.Update(ctx, b, "a", change))
			},
			want: []string{"a"},
		},
		{
			name: "Remove",
			do:   func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "a") },
			want: []string{"a"},
		},
		{
			name: "Remove of nothing",
			do: func(ctx context.Context, b storage.Bucket) error {
				return b.Remove(ctx, "none")
			},
			want: []string{"none"},
		},
		{
			name: "RemoveAll",
			do: func(ctx context.Context, b storage.Bucket) error {
				return errorOf(storage.RemoveAll(ctx, b, slices.Values([]string{"a", "b"})))
			},
			want: []string{"a", "b"},
		},
		{
			name: "RemoveMatching",
			do: func(ctx context.Context, b storage.Bucket) error {
				return errorOf(storage.RemoveMatching(ctx, b, nil))
			},
			want: []string{"a", "b"},
		},
		{
			name: "the end of an open upload",
			do: func(ctx context.Context, b storage.Bucket) error {
				u, err := storage.BeginUpload(ctx, b, "new")
				if err != nil {
					return err
				}
				return errors.Join(errorOf(u.PutPart(ctx, 1, strings.NewReader("x"))), errorOf(u.Complete(ctx)))
			},
			want: []string{"new"},
		},
		{
			name: "an open upload that is dropped",
			do: func(ctx context.Context, b storage.Bucket) error {
				u, err := storage.BeginUpload(ctx, b, "new")
				if err != nil {
					return err
				}
				return errors.Join(errorOf(u.PutPart(ctx, 1, strings.NewReader("x"))), u.Abort(ctx))
			},
			want: nil,
		},
		{
			name: "RemoveVersions",
			do: func(ctx context.Context, b storage.Bucket) error {
				versions, err := versionsOf(ctx, b, "a")
				return errors.Join(err, errorOf(storage.RemoveVersions(ctx, b, slices.Values(versions))))
			},
			want: []string{"a"},
		},
		{
			name: "Remove of a version",
			do: func(ctx context.Context, b storage.Bucket) error {
				versions, err := versionsOf(ctx, b, "a")
				return errors.Join(err, b.Remove(ctx, "a", storage.WithVersion(versions[0].Version)))
			},
			want: []string{"a"},
		},
		{
			name: "a version made current",
			do: func(ctx context.Context, b storage.Bucket) error {
				versions, err := versionsOf(ctx, b, "a")
				return errors.Join(err,
					errorOf(storage.Copy(ctx, b, "a", b, "a", storage.WithVersion(versions[0].Version))))
			},
			want: []string{"a"},
		},
		{
			name: "Restore",
			do: func(ctx context.Context, b storage.Bucket) error {
				return storage.Restore(ctx, b, "a")
			},
			want: []string{"a"},
		},
		{
			name: "a view of a folder",
			do: func(ctx context.Context, b storage.Bucket) error {
				return errorOf(storage.Prefixed(b, "folder/").Upload(ctx, "c d", strings.NewReader("x")))
			},
			want: []string{"folder/c%20d"},
		},
		{
			name: "reads",
			do: func(ctx context.Context, b storage.Bucket) error {
				_, _, err := storage.ReadAll(ctx, b, "a")
				for _, failure := range b.List(ctx) {
					err = errors.Join(err, failure)
				}
				return errors.Join(err, errorOf(b.Attrs(ctx, "a")), errorOf(b.Exists(ctx, "a")),
					errorOf(storage.Tags(ctx, b, "a")))
			},
			want: nil,
		},
		{
			name: "tags",
			do: func(ctx context.Context, b storage.Bucket) error {
				return storage.SetTags(ctx, b, "a", map[string]string{"k": "v"})
			},
			want: nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The bucket has the objects a and b, whose uploads do not count.
			r := &recorder{}
			b, failures := newPurgedBucket(t, r, storage.WithVersioning(true))
			put(t, b, "a", "b")
			r.calls = nil

			// The operation purges its keys.
			require.NoError(t, tt.do(t.Context(), b))
			require.Equal(t, tt.want, r.keys())
			require.Empty(t, *failures)
		})
	}
}

// The hook purges a key only after the write of its object.
func TestPurgeHookPurgesAfterTheWrite(t *testing.T) {
	// The purge fails if the object is not there yet.
	store := memstore.NewDriver(memstore.Config{})
	r := &recorder{purge: func(ctx context.Context, _ []string) error {
		_, err := store.Head(ctx, &driver.GetRequest{Key: "a", Length: -1})
		return err
	}}
	useStore := func(driver.Driver) driver.Driver { return store }
	b, failures := newPurgedBucket(t, r, driver.WithLayer(useStore))

	put(t, b, "a")
	require.Equal(t, []string{"a"}, r.keys())
	require.Empty(t, *failures)
}

// The hook purges an object after a write that has succeeded or may have, and not after one that has failed.
func TestPurgeHookOutcomes(t *testing.T) {
	upload := func(ctx context.Context, b storage.Bucket) error {
		return errorOf(b.Upload(ctx, "a", strings.NewReader("new")))
	}
	removal := func(ctx context.Context, b storage.Bucket) error {
		return errorOf(storage.RemoveAll(ctx, b, slices.Values([]string{"a", "b"})))
	}
	tests := []struct {
		name     string
		rules    []faults.Rule // which requests to the store fail
		do       func(ctx context.Context, b storage.Bucket) error
		want     []string     // keys that are purged
		wantCode storage.Code // of the write; "" if it succeeds
	}{
		{
			name:     "the write is refused",
			rules:    []faults.Rule{faults.Fail(faults.Put).WithError(storage.PermissionDenied)},
			do:       upload,
			wantCode: storage.PermissionDenied,
		},
		{
			name: "the condition does not hold",
			do: func(ctx context.Context, b storage.Bucket) error {
				return errorOf(b.Upload(ctx, "a", strings.NewReader("new"), storage.IfAbsent()))
			},
			wantCode: storage.PreconditionFailed,
		},
		{
			name:  "the first attempt fails",
			rules: []faults.Rule{faults.Fail(faults.Put).Nth(1)},
			do:    upload,
			want:  []string{"a"},
		},
		{
			name:  "the response is lost, and the object is found",
			rules: []faults.Rule{faults.DropResponse(faults.Put).Nth(1)},
			do:    upload,
			want:  []string{"a"},
		},
		{
			name:     "the outcome is unknown",
			do:       upload,
			rules:    []faults.Rule{faults.DropResponse(faults.Put), faults.Fail(faults.Head)},
			want:     []string{"a"},
			wantCode: storage.OutcomeUnknown,
		},
		{
			name:     "one of two removals fails",
			do:       removal,
			want:     []string{"a", "b"},
			wantCode: storage.PermissionDenied,
			rules: []faults.Rule{
				faults.Fail(faults.Delete | faults.DeleteBatch).ForKey("a").WithError(storage.PermissionDenied),
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The store has the objects a and b.
			store := memstore.NewDriver(memstore.Config{})
			put(t, engine.New(store), "a", "b")

			// The bucket on this store has the hook and the faults.
			r := &recorder{}
			injector := faults.New(tt.rules...)
			faulty := func(driver.Driver) driver.Driver { return injector.Layer()(store) }
			retry := storage.WithRetry(storage.RetryPolicy{Attempts: 2, MaxDelay: 1})
			b, failures := newPurgedBucket(t, r, retry, driver.WithLayer(faulty))

			err := tt.do(t.Context(), b)
			if tt.wantCode == "" {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, tt.wantCode)
			}

			require.Equal(t, tt.want, r.keys())
			require.Empty(t, *failures)
		})
	}
}

// If a purge fails, the write still succeeds, and OnError gets the URL and the error.
func TestPurgeHookPurgeFails(t *testing.T) {
	refusal := &storage.Error{Code: storage.PermissionDenied, Op: "Purge", Provider: "cdn"}
	r := &recorder{purge: func(context.Context, []string) error {
		return refusal
	}}
	b, failures := newPurgedBucket(t, r)

	attrs, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)
	require.Equal(t, "a", attrs.Key)
	require.Len(t, r.calls, 1, "the purge must not be repeated, because the error is not temporary")
	require.Len(t, *failures, 1)
	require.Equal(t, []string{site + "a"}, (*failures)[0].urls)
	require.ErrorIs(t, (*failures)[0].err, storage.PermissionDenied)
}

// ending is a driver that ends the caller's context when it has stored an object.
type ending struct {
	driver.Driver
	end context.CancelFunc
}

func (d ending) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Put(ctx, r)
	d.end()
	return attrs, err
}

// A purge continues if the context of the write ends meanwhile.
func TestPurgeHookOutlivesTheContext(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	r := &recorder{purge: func(ctx context.Context, _ []string) error {
		if ctx.Value(key{}) != "value" {
			return storage.Internal
		}
		return ctx.Err()
	}}
	cancelContext := func(d driver.Driver) driver.Driver { return ending{d, cancel} }
	b, failures := newPurgedBucket(t, r, driver.WithLayer(cancelContext))

	_, _ = b.Upload(ctx, "a", strings.NewReader("x"))
	require.Error(t, ctx.Err())
	require.Equal(t, []string{"a"}, r.keys())
	require.Empty(t, *failures)
}

// The hook repeats a purge that fails with a temporary error, at most four times. It does not repeat a
// purge after another error.
func TestPurgeHookRepeats(t *testing.T) {
	temporary := func(code storage.Code) error {
		return &storage.Error{Code: code, RetryAfter: 2 * time.Second}
	}
	rateLimited := func(times int) []error {
		return slices.Repeat([]error{temporary(storage.RateLimited)}, times)
	}
	tests := []struct {
		name         string
		errs         []error // of the first purges; all others succeed
		wantPurges   int
		wantFailures int // calls of OnError
	}{
		{name: "success", wantPurges: 1},
		{name: "unavailable once", errs: []error{temporary(storage.Unavailable)}, wantPurges: 2},
		{name: "rate-limited four times", errs: rateLimited(4), wantPurges: 5},
		{name: "rate-limited nine times", errs: rateLimited(9), wantPurges: 5, wantFailures: 1},
		{name: "error that is only a code", errs: []error{storage.Unavailable}, wantPurges: 2},
		{name: "error that is not temporary", errs: []error{storage.InvalidArgument}, wantPurges: 1, wantFailures: 1},
		{name: "error without a code", errs: []error{errors.New("broken")}, wantPurges: 1, wantFailures: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				count := 0
				r := &recorder{purge: func(context.Context, []string) error {
					count++
					if count > len(tt.errs) {
						return nil
					}
					return tt.errs[count-1]
				}}
				b, failures := newPurgedBucket(t, r)

				put(t, b, "a")
				require.Len(t, r.calls, tt.wantPurges)
				require.Len(t, *failures, tt.wantFailures)
			})
		})
	}
}

// If a purge hangs, the hook ends it and calls OnError, whose context has not ended.
func TestPurgeHookEndsPurgeThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{purge: hang}
		b, failures := newPurgedBucket(t, r)

		put(t, b, "a")
		require.Len(t, r.calls, 1)
		require.Len(t, *failures, 1)
		require.ErrorIs(t, (*failures)[0].err, storage.DeadlineExceeded)
		require.NotContains(t, (*failures)[0].err.Error(), "OnError")
	})
}

// If purges hang, the hook ends all of them 30 seconds after the operation, and OnError gets each URL.
func TestPurgeHookIsBoundedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys = 250 // which the hook purges in three batches

		// Each purge hangs until its context ends.
		b, failures := newPurgedBucket(t, &recorder{purge: hang})

		start := time.Now()
		_, err := storage.RemoveAll(t.Context(), b, manyKeys(keys))
		require.NoError(t, err)
		require.Equal(t, 30*time.Second, time.Since(start))

		urls := 0
		for _, f := range *failures {
			urls += len(f.urls)
		}
		require.Equal(t, keys, urls)
	})
}

// hang returns when ctx has ended.
func hang(ctx context.Context, _ []string) error {
	<-ctx.Done()
	return ctx.Err()
}

// manyKeys yields n keys.
func manyKeys(n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range n {
			if !yield(fmt.Sprintf("%03d", i)) {
				return
			}
		}
	}
}

// The hook purges the keys of an operation in batches of 100. If one batch fails, the others are purged nevertheless.
func TestPurgeHookBatches(t *testing.T) {
	firstOfSecondBatch := site + "100"
	r := &recorder{purge: func(_ context.Context, urls []string) error {
		if urls[0] == firstOfSecondBatch {
			return storage.PermissionDenied
		}
		return nil
	}}
	b, failures := newPurgedBucket(t, r)

	// Remove the keys from "000" to "249".
	_, err := storage.RemoveAll(t.Context(), b, manyKeys(250))
	require.NoError(t, err)

	var batchSizes []int
	for _, urls := range r.calls {
		batchSizes = append(batchSizes, len(urls))
	}
	require.Equal(t, []int{100, 100, 50}, batchSizes)
	require.Len(t, *failures, 1)
	require.Len(t, (*failures)[0].urls, 100)
}

// A purger may change the slice of URLs that it gets, and OnError still gets the URLs.
func TestPurgerMayChangeItsArgument(t *testing.T) {
	r := &recorder{purge: func(_ context.Context, urls []string) error {
		clear(urls)
		return storage.PermissionDenied
	}}
	b, failures := newPurgedBucket(t, r)

	put(t, b, "a")
	require.Len(t, *failures, 1)
	require.Equal(t, []string{site + "a"}, (*failures)[0].urls)
}

// An incomplete or invalid configuration is refused, and the error names the field.
func TestPurgeConfigurationsAreChecked(t *testing.T) {
	tests := []struct {
		name      string
		wantField string // that the error names
		change    func(*cdn.PurgeConfig)
	}{
		{
			name:      "no base URL",
			wantField: "BaseURL",
			change: func(c *cdn.PurgeConfig) {
				c.BaseURL = ""
			},
		},
		{
			name:      "no purger",
			wantField: "Purger",
			change: func(c *cdn.PurgeConfig) {
				c.Purger = nil
			},
		},
		{
			name:      "no OnError",
			wantField: "OnError",
			change: func(c *cdn.PurgeConfig) {
				c.OnError = nil
			},
		},
		{
			name:      "timeout below the least",
			wantField: "Timeout",
			change: func(c *cdn.PurgeConfig) {
				c.Timeout = 1
			},
		},
		{
			name:      "negative timeout",
			wantField: "Timeout",
			change: func(c *cdn.PurgeConfig) {
				c.Timeout = -time.Second
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := cdn.PurgeConfig{
				Purger:  &recorder{},
				BaseURL: site,
				OnError: func(context.Context, []string, error) {},
			}
			tt.change(&c)

			_, err := cdn.NewPurgeHook(c)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "Config."+tt.wantField)
		})
	}
}
