package vended_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/internal/vended"
	"github.com/omnibucket/storage/storagetest"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A vendor grants a driver of one store for the folder of each key, and remembers the keys that it was asked for.
type vendor struct {
	store  driver.Driver
	lasts  time.Duration // 0: for ever
	answer func(ctx context.Context, key string) error
	mu     sync.Mutex
	asked  []string
	seen   map[string]*faults.Injector // what was requested with each grant, by prefix
}

func (v *vendor) grant(ctx context.Context, key string) (vended.Grant, error) {
	v.mu.Lock()
	v.asked = append(v.asked, key)
	v.mu.Unlock()
	if v.answer != nil {
		if err := v.answer(ctx, key); err != nil {
			return vended.Grant{}, err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	prefix := key[:strings.IndexByte(key, '/')+1]
	seen := faults.New()
	if v.seen == nil {
		v.seen = map[string]*faults.Injector{}
	}
	v.seen[prefix] = seen
	grant := vended.Grant{Prefix: prefix, Driver: seen.Layer()(v.store)}
	if v.lasts != 0 {
		grant.Expires = time.Now().Add(v.lasts)
	}
	return grant, nil
}

func (v *vendor) calls() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.asked)
}

func (v *vendor) open() storage.Bucket {
	v.store = memstore.NewDriver(memstore.Config{})
	return engine.New(vended.New(v.store, v.grant), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
}

func put(ctx context.Context, b storage.Bucket, key string) error {
	_, err := b.Upload(ctx, key, strings.NewReader(key))
	return err
}

func TestFurtherConformanceWithVendedCredentials(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	storagetest.RunDriver(t, func(*testing.T) driver.Driver {
		d := memstore.NewDriver(memstore.Config{})
		return vended.New(d, func(context.Context, string) (vended.Grant, error) { return vended.Grant{Driver: d}, nil })
	})
}

func TestRequestsAtTheSameTimeShareOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{answer: func(context.Context, string) error {
			time.Sleep(time.Second)
			return nil
		}}
		b := v.open()
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if err := put(t.Context(), b, "a/1"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.Equal(t, []string{"a/1"}, v.calls())
		require.NoError(t, put(t.Context(), b, "a/b/2"))
		require.Len(t, v.calls(), 1)
	})
}

func TestCredentialsAreReplacedBeforeTheyExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{lasts: time.Minute}
		b := v.open()
		for _, row := range []struct {
			after time.Duration
			calls int
		}{{0, 1}, {29 * time.Second, 1}, {2 * time.Second, 2}, {28 * time.Second, 2}, {time.Hour, 3}} {
			time.Sleep(row.after)
			require.NoError(t, put(t.Context(), b, "a/1"))
			require.Len(t, v.calls(), row.calls)
		}
	})
}

// Credentials that have not expired yet serve until there are new ones.
func TestCredentialsAreUsedToTheirEndIfTheCatalogFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{lasts: time.Minute}
		b := v.open()
		require.NoError(t, put(t.Context(), b, "a/1"))
		time.Sleep(40 * time.Second)
		v.answer = func(context.Context, string) error {
			time.Sleep(5 * time.Second)
			return errors.New("502")
		}
		first := make(chan error, 1)
		go func() { first <- put(t.Context(), b, "a/1") }()
		synctest.Wait()
		began := time.Now()
		require.NoError(t, put(t.Context(), b, "a/2"))
		require.Equal(t, began, time.Now(), "it does not wait")
		require.NoError(t, <-first)
		time.Sleep(16 * time.Second)
		require.Equal(t, storage.Unauthenticated, storage.CodeOf(put(t.Context(), b, "a/1")), "they have expired")
		v.answer = nil
		require.NoError(t, put(t.Context(), b, "a/1"))
		require.Len(t, v.calls(), 4)
	})
}

func TestARequestWithoutCredentialsFails(t *testing.T) {
	for name, row := range map[string]struct {
		answer error
		want   storage.Code
	}{
		"because the catalog refuses":      {errors.New("401"), storage.Unauthenticated},
		"because the catalog is not there": {&storage.Error{Code: storage.Unavailable, Err: errors.New("502")}, storage.Unavailable},
		"with a code alone":                {storage.PermissionDenied, storage.PermissionDenied},
		"with a code about another object": {storage.PreconditionFailed, storage.Unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			v := &vendor{answer: func(context.Context, string) error { return row.answer }}
			err := put(t.Context(), v.open(), "a/1")
			require.Equal(t, row.want, storage.CodeOf(err))
			require.NotErrorIs(t, err, storage.OutcomeUnknown)
			require.Len(t, v.calls(), 1)
		})
	}
	for name, grant := range map[string]vended.Grant{
		"for another prefix": {Prefix: "b/"},
		"that have expired":  {Expires: time.Now().Add(-time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			d := memstore.NewDriver(memstore.Config{})
			grant.Driver = d
			b := engine.New(vended.New(d, func(context.Context, string) (vended.Grant, error) { return grant, nil }))
			require.Equal(t, storage.Unauthenticated, storage.CodeOf(put(t.Context(), b, "a/1")))
		})
	}
}

func TestAMissingSecretIsNoMissingObject(t *testing.T) {
	v := &vendor{answer: func(ctx context.Context, _ string) error {
		_, _, err := storage.ReadAll(ctx, memstore.New(), "secret")
		return err
	}}
	b := v.open()
	_, err := b.Exists(t.Context(), "a/1")
	require.Equal(t, storage.Unauthenticated, storage.CodeOf(err))
	require.NotErrorIs(t, err, fs.ErrNotExist)
	require.Error(t, b.Remove(t.Context(), "a/1"))
}

func TestACanceledRequestDoesNotFailThoseThatWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{answer: func(ctx context.Context, _ string) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
				return nil
			}
		}}
		b := v.open()
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- put(ctx, b, "a/1") }()
		synctest.Wait()
		go func() { second <- put(t.Context(), b, "a/2") }()
		synctest.Wait()
		cancel()
		require.Equal(t, storage.Canceled, storage.CodeOf(<-first))
		require.NoError(t, <-second)
	})
}

// A catalog that does not answer, or that vends for a moment only, must not be asked once for each request that
// waits, one after the other.
func TestRequestsThatWaitShareTheAnswer(t *testing.T) {
	for name, v := range map[string]*vendor{
		"the catalog's own timeout":            {answer: func(context.Context, string) error { return context.DeadlineExceeded }},
		"credentials that have nearly expired": {lasts: 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answer := v.answer
				v.answer = func(ctx context.Context, key string) error {
					time.Sleep(10 * time.Second)
					if answer != nil {
						return answer(ctx, key)
					}
					return nil
				}
				b, began := v.open(), time.Now()
				var all sync.WaitGroup
				for range 16 {
					all.Go(func() { _ = put(t.Context(), b, "a/1") })
				}
				all.Wait()
				require.Equal(t, 10*time.Second, time.Since(began))
				require.Len(t, v.calls(), 1)
			})
		})
	}
}

func TestBatchesAndCopiesAreDividedByCredentials(t *testing.T) {
	v := &vendor{}
	b := v.open()
	for _, key := range []string{"a/1", "a/2", "b/1"} {
		require.NoError(t, put(t.Context(), b, key))
	}
	_, err := storage.Copy(t.Context(), b, "a/3", b, "a/1")
	require.NoError(t, err)
	require.Equal(t, 1, v.seen["a/"].Count(faults.Copy))
	_, err = storage.Copy(t.Context(), b, "b/3", b, "a/1")
	require.NoError(t, err)
	require.Zero(t, v.seen["b/"].Count(faults.Copy), "the bytes pass through the process")
	_, err = storage.Compose(t.Context(), b, "b/4", []string{"b/1", "a/1"})
	require.NoError(t, err)
	require.Zero(t, v.seen["b/"].Count(faults.Compose))
	text, _, err := storage.ReadAll(t.Context(), b, "b/4")
	require.NoError(t, err)
	require.Equal(t, "b/1a/1", string(text))
	removed, err := storage.RemoveAll(t.Context(), b, slices.Values([]string{"a/1", "b/1", "a/2", "b/3"}))
	require.NoError(t, err)
	require.Equal(t, 4, removed)
	require.Equal(t, 1, v.seen["a/"].Count(faults.DeleteBatch))
	require.Equal(t, 1, v.seen["b/"].Count(faults.DeleteBatch))
}
