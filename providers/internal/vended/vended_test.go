package vended_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
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
)

// A vendor grants a store for the folder of each key. The credentials are the folder and a number.
type vendor struct {
	lasts   time.Duration // 0: for ever
	answer  func(ctx context.Context, key string) error
	refuses func(credentials string) bool // the store

	attempts int // of an operation

	mu       sync.Mutex
	asked    []string // keys
	requests []string // the call and the credentials
}

type grant = vended.Grant[string]

func (v *vendor) grant(ctx context.Context, key string) (*grant, error) {
	v.mu.Lock()
	v.asked = append(v.asked, key)
	number := len(v.asked)
	v.mu.Unlock()
	if v.answer != nil {
		if err := v.answer(ctx, key); err != nil {
			return nil, err
		}
	}
	prefix := key[:strings.IndexByte(key, '/')+1]
	g := &grant{Prefix: prefix, Credentials: prefix + strconv.Itoa(number)}
	if v.lasts != 0 {
		g.Expires = time.Now().Add(v.lasts)
	}
	return g, nil
}

func (v *vendor) calls() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.asked)
}

// count returns how many requests of a kind had credentials for a folder.
func (v *vendor) count(call, folder string) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, request := range v.requests {
		if strings.HasPrefix(request, call+" "+folder) {
			n++
		}
	}
	return n
}

func (v *vendor) open() storage.Bucket {
	keys := vended.NewKeyring(v.grant)
	return engine.New(vended.New(v.store(keys), keys), storage.WithRetry(storage.RetryPolicy{
		Attempts: max(v.attempts, 1),
		MaxDelay: time.Nanosecond,
	}))
}

// store returns a store whose requests have credentials.
func (v *vendor) store(keys *vended.Keyring[string]) driver.Driver {
	return driver.Intercept(memstore.NewDriver(memstore.Config{}), func(ctx context.Context, call string, next func(context.Context) error) error {
		credentials, err := keys.Credentials(ctx)
		if err != nil {
			return err
		}
		v.mu.Lock()
		v.requests = append(v.requests, call+" "+credentials)
		v.mu.Unlock()
		if v.refuses != nil && v.refuses(credentials) {
			return &storage.Error{Code: storage.Unauthenticated, Status: http.StatusUnauthorized}
		}
		return next(ctx)
	})
}

func put(ctx context.Context, b storage.Bucket, key string) error {
	_, err := b.Upload(ctx, key, strings.NewReader(key))
	return err
}

func TestFurtherConformanceWithVendedCredentials(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	storagetest.RunDriver(t, func(*testing.T) driver.Driver {
		keys := vended.NewKeyring(func(context.Context, string) (*grant, error) { return &grant{}, nil })
		return vended.New(new(vendor).store(keys), keys)
	})
}

// Requests that need credentials at the same time share one call of CredentialsFor.
func TestCredentialsSharedByRequests(t *testing.T) {
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

// Credentials are replaced before they expire.
func TestCredentialsReplacedBeforeExpiry(t *testing.T) {
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

// If CredentialsFor fails, requests use the old credentials until they expire.
func TestCredentialsUsedIfCatalogFails(t *testing.T) {
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
		go func() {
			first <- put(t.Context(), b, "a/1")
		}()
		synctest.Wait()
		start := time.Now()

		require.NoError(t, put(t.Context(), b, "a/2"))
		require.Equal(t, start, time.Now(), "it does not wait")
		require.NoError(t, <-first)
		time.Sleep(16 * time.Second)
		require.Equal(t, storage.Unauthenticated, storage.CodeOf(put(t.Context(), b, "a/1")),
			"they have expired")

		v.answer = nil
		require.NoError(t, put(t.Context(), b, "a/1"))
		require.Len(t, v.calls(), 4)
	})
}

// A request for which CredentialsFor has no credentials fails.
func TestCredentialsMissing(t *testing.T) {
	tests := map[string]struct {
		answer error
		want   storage.Code
	}{
		"because the catalog refuses": {answer: errors.New("401"), want: storage.Unauthenticated},
		"because the catalog is not there": {
			answer: &storage.Error{Code: storage.Unavailable, Err: errors.New("502")},
			want:   storage.Unavailable,
		},
		"with a code alone": {
			answer: storage.PermissionDenied,
			want:   storage.PermissionDenied,
		},
		"with a code about another object": {
			answer: storage.PreconditionFailed,
			want:   storage.Unauthenticated,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := &vendor{answer: func(context.Context, string) error { return tt.answer }}
			err := put(t.Context(), v.open(), "a/1")
			require.Equal(t, tt.want, storage.CodeOf(err))
			require.NotErrorIs(t, err, storage.OutcomeUnknown)
			require.Len(t, v.calls(), 1)
		})
	}
	for name, g := range map[string]*grant{
		"for another prefix": {Prefix: "b/"},
		"that have expired":  {Expires: time.Now().Add(-time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			keys := vended.NewKeyring(func(context.Context, string) (*grant, error) { return g, nil })
			b := engine.New(vended.New(new(vendor).store(keys), keys))
			require.Equal(t, storage.Unauthenticated, storage.CodeOf(put(t.Context(), b, "a/1")))
		})
	}
}

// If CredentialsFor fails with ObjectNotFound, the request fails with Unauthenticated, so that
// nobody takes the object for missing.
func TestCredentialsNotFoundCode(t *testing.T) {
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

// If a request that waits for credentials is canceled, the others still get them.
func TestCredentialsRequestCanceled(t *testing.T) {
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
		first := make(chan error, 1)
		second := make(chan error, 1)
		go func() {
			first <- put(ctx, b, "a/1")
		}()
		synctest.Wait()
		go func() {
			second <- put(t.Context(), b, "a/2")
		}()
		synctest.Wait()

		cancel()
		require.Equal(t, storage.Canceled, storage.CodeOf(<-first))
		require.NoError(t, <-second)
	})
}

// If CredentialsFor fails or its credentials last only a moment, all waiting requests share that
// result, instead of calling it one after the other.
func TestCredentialsAnswerShared(t *testing.T) {
	for name, v := range map[string]*vendor{
		"the catalog's own timeout": {
			answer: func(context.Context, string) error { return context.DeadlineExceeded },
		},
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
				b := v.open()
				start := time.Now()
				var all sync.WaitGroup
				for range 16 {
					all.Go(func() {
						_ = put(t.Context(), b, "a/1")
					})
				}
				all.Wait()
				require.Equal(t, 10*time.Second, time.Since(start))
				require.Len(t, v.calls(), 1)
			})
		})
	}
}

// RemoveAll sends one batch for each prefix of credentials. Copy and Compose between two prefixes
// pass the bytes through the process.
func TestDeleteBatchDividedByCredentials(t *testing.T) {
	v := &vendor{}
	b := v.open()
	for _, key := range []string{"a/1", "a/2", "b/1"} {
		require.NoError(t, put(t.Context(), b, key))
	}

	_, err := storage.Copy(t.Context(), b, "a/3", b, "a/1")
	require.NoError(t, err)
	require.Equal(t, 1, v.count("Copy", "a/"))

	_, err = storage.Copy(t.Context(), b, "b/3", b, "a/1")
	require.NoError(t, err)
	require.Zero(t, v.count("Copy", "b/"), "the bytes pass through the process")

	_, err = storage.Compose(t.Context(), b, "b/4", []string{"b/1", "a/1"})
	require.NoError(t, err)
	require.Zero(t, v.count("Compose", "b/"))

	text, _, err := storage.ReadAll(t.Context(), b, "b/4")
	require.NoError(t, err)
	require.Equal(t, "b/1a/1", string(text))

	n, err := storage.RemoveAll(t.Context(), b, slices.Values([]string{"a/1", "b/1", "a/2", "b/3"}))
	require.NoError(t, err)
	require.Equal(t, 4, n)
	require.Equal(t, 1, v.count("DeleteBatch", "a/"))
	require.Equal(t, 1, v.count("DeleteBatch", "b/"))
}

// If there are no credentials for the source of a copy, the copy fails with that error. It is not
// requested with the credentials of its target only.
func TestCopyWithoutCredentialsOfSource(t *testing.T) {
	v := &vendor{answer: func(_ context.Context, key string) error {
		if strings.HasPrefix(key, "a/") {
			return storage.PermissionDenied
		}
		return nil
	}}
	keys := vended.NewKeyring(v.grant)
	d := vended.New(v.store(keys), keys)

	_, err := d.Copy(t.Context(), &driver.CopyRequest{Key: "b/1", Source: d.Locate("a/1")})
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(err))
	require.Zero(t, v.count("Copy", "b/"))
}

// If the store refuses vended credentials before they expire, they are replaced once. They may be
// revoked, or a clock may be wrong.
func TestCredentialsRefused(t *testing.T) {
	tests := []struct {
		name    string
		refuses func(credentials string) bool
		calls   int // of CredentialsFor for the second write
		want    storage.Code
	}{
		{name: "are replaced once", refuses: func(c string) bool { return c == "a/1" }, calls: 1, want: ""},
		{
			name:    "are not replaced again if new ones are refused",
			refuses: func(string) bool { return true },
			calls:   1,
			want:    storage.Unauthenticated,
		},
		{name: "are kept if the store admits them", refuses: func(string) bool { return false }, want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := &vendor{attempts: 3}
			b := v.open()
			require.NoError(t, put(t.Context(), b, "a/1"))
			v.refuses = tt.refuses
			require.Equal(t, tt.want, storage.CodeOf(put(t.Context(), b, "a/2")))
			require.Len(t, v.calls(), 1+tt.calls)
		})
	}
	t.Run("that are new are not replaced by the same write", func(t *testing.T) {
		v := &vendor{attempts: 3, refuses: func(string) bool { return true }}
		b := v.open()
		for write := range 3 {
			require.Equal(t, storage.Unauthenticated, storage.CodeOf(put(t.Context(), b, "a/1")))
			require.Len(t, v.calls(), 1+write, "each write asks once")
		}
	})
	t.Run("are replaced for a batch, whose keys share one call", func(t *testing.T) {
		v := &vendor{attempts: 3}
		b := v.open()
		require.NoError(t, put(t.Context(), b, "a/1"))
		v.refuses = func(c string) bool { return c == "a/1" }

		n, err := storage.RemoveAll(t.Context(), b, slices.Values([]string{"a/1", "a/b/2", "a/c/3"}))
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.Len(t, v.calls(), 2)
	})
}

// Each request gets current credentials, because one call of the driver may last longer than its first ones.
func TestCredentialsOfEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{lasts: time.Minute}
		keys := vended.NewKeyring(v.grant)
		var used []string
		d := vended.New(driver.Intercept(memstore.NewDriver(memstore.Config{}), func(ctx context.Context, _ string, _ func(context.Context) error) error {
			for range 6 { // as many parts, one after the other
				credentials, err := keys.Credentials(ctx)
				require.NoError(t, err)
				used = append(used, credentials)
				time.Sleep(20 * time.Second)
			}
			return nil
		}), keys)

		require.NoError(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: "a/1"}))
		require.Equal(t, []string{"a/1", "a/1", "a/2", "a/2", "a/3", "a/3"}, used)
		_, err := keys.Credentials(t.Context())
		require.Equal(t, storage.Unauthenticated, storage.CodeOf(err), "there is no operation")
	})
}

// Credentials that are valid for 20 seconds are used for ten.
func TestCredentialsOfSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{lasts: 20 * time.Second}
		b := v.open()
		for _, calls := range []int{1, 1, 1, 2, 2, 2, 3} {
			require.NoError(t, put(t.Context(), b, "a/1"))
			require.Len(t, v.calls(), calls)
			time.Sleep(4 * time.Second)
		}
	})
}
