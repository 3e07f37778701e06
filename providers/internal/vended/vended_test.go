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

// A catalog vends credentials for the folder of a key. The credentials are the name of the folder and a number. It also
// opens buckets whose requests need these credentials.
type catalog struct {
	lifetime time.Duration                               // of credentials; 0: for ever
	vendErr  func(ctx context.Context, key string) error // of the vending; may be nil
	refuses  func(credentials string) bool               // whether the store refuses a request; may be nil
	attempts int                                         // of a call of the bucket; 0: one

	mu       sync.Mutex
	keys     []string // for which credentials were requested
	requests []string // to the store: the call and the credentials
}

type grant = vended.Grant[string]

// vend returns credentials for the folder of a key.
func (c *catalog) vend(ctx context.Context, key string) (*grant, error) {
	c.mu.Lock()
	c.keys = append(c.keys, key)
	number := len(c.keys)
	c.mu.Unlock()
	if c.vendErr != nil {
		if err := c.vendErr(ctx, key); err != nil {
			return nil, err
		}
	}

	folder := key[:strings.IndexByte(key, '/')+1]
	g := &grant{Prefix: folder, Credentials: folder + strconv.Itoa(number)}
	if c.lifetime != 0 {
		g.Expires = time.Now().Add(c.lifetime)
	}
	return g, nil
}

// vendedKeys returns the keys for which credentials were requested.
func (c *catalog) vendedKeys() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.keys)
}

// count returns how many requests of a call had credentials for a folder.
func (c *catalog) count(call, folder string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	count := 0
	for _, request := range c.requests {
		if strings.HasPrefix(request, call+" "+folder) {
			count++
		}
	}
	return count
}

// openBucket opens a bucket whose requests have credentials of the catalog.
func (c *catalog) openBucket() storage.Bucket {
	keyring := vended.NewKeyring(c.vend)
	return engine.New(vended.New(c.newStore(keyring), keyring), storage.WithRetry(storage.RetryPolicy{
		Attempts: max(c.attempts, 1),
		MaxDelay: time.Nanosecond,
	}))
}

// newStore returns a store in memory that records the credentials of each request, and may refuse them.
func (c *catalog) newStore(keyring *vended.Keyring[string]) driver.Driver {
	intercept := func(ctx context.Context, call string, next func(context.Context) error) error {
		credentials, err := keyring.Credentials(ctx)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.requests = append(c.requests, call+" "+credentials)
		c.mu.Unlock()
		if c.refuses != nil && c.refuses(credentials) {
			return &storage.Error{Code: storage.Unauthenticated, Status: http.StatusUnauthorized}
		}
		return next(ctx)
	}
	return driver.Intercept(memstore.NewDriver(memstore.Config{}), intercept)
}

// upload uploads an object whose content is its key.
func upload(ctx context.Context, bucket storage.Bucket, key string) error {
	_, err := bucket.Upload(ctx, key, strings.NewReader(key))
	return err
}

// A bucket with vended credentials passes the conformance suite.
func TestFurtherConformanceWithVendedCredentials(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table of supported features has no column for this run
	storagetest.RunDriver(t, func(*testing.T) driver.Driver {
		keyring := vended.NewKeyring(func(context.Context, string) (*grant, error) { return &grant{}, nil })
		return vended.New(new(catalog).newStore(keyring), keyring)
	})
}

// Requests that need credentials at the same time share one call of CredentialsFor.
func TestCredentialsSharedByRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The catalog takes a second to answer, and has no error.
		waitOneSecond := func(context.Context, string) error {
			time.Sleep(time.Second)
			return nil
		}
		catalog := &catalog{vendErr: waitOneSecond}
		bucket := catalog.openBucket()

		// In this second, 16 uploads need credentials for the folder "a".
		var group sync.WaitGroup
		for range 16 {
			group.Go(func() {
				if err := upload(t.Context(), bucket, "a/1"); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		require.Equal(t, []string{"a/1"}, catalog.vendedKeys())

		// A later request for the same folder uses the same credentials.
		require.NoError(t, upload(t.Context(), bucket, "a/b/2"))
		require.Len(t, catalog.vendedKeys(), 1)
	})
}

// Credentials that are valid for a minute are replaced when they are used after half of it.
func TestCredentialsReplacedBeforeExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		catalog := &catalog{lifetime: time.Minute}
		bucket := catalog.openBucket()
		steps := []struct {
			wait      time.Duration // before the upload
			wantCalls int           // of the catalog since the start
		}{
			{wait: 0, wantCalls: 1},
			{wait: 29 * time.Second, wantCalls: 1},
			{wait: 2 * time.Second, wantCalls: 2},
			{wait: 28 * time.Second, wantCalls: 2},
			{wait: time.Hour, wantCalls: 3},
		}
		for _, step := range steps {
			time.Sleep(step.wait)
			require.NoError(t, upload(t.Context(), bucket, "a/1"))
			require.Len(t, catalog.vendedKeys(), step.wantCalls)
		}
	})
}

// If the catalog fails to replace credentials, requests use the old ones until they expire. Only the request that asks
// the catalog waits for its answer.
func TestCredentialsUsedIfCatalogFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		catalog := &catalog{lifetime: time.Minute}
		bucket := catalog.openBucket()
		require.NoError(t, upload(t.Context(), bucket, "a/1"))

		// After more than half a minute, the credentials must be replaced, but the catalog fails after five seconds.
		time.Sleep(40 * time.Second)
		catalog.vendErr = func(context.Context, string) error {
			time.Sleep(5 * time.Second)
			return errors.New("502")
		}

		// The first upload asks the catalog. The second one does not wait for it.
		firstErr := make(chan error, 1)
		go func() {
			firstErr <- upload(t.Context(), bucket, "a/1")
		}()
		synctest.Wait()
		start := time.Now()
		require.NoError(t, upload(t.Context(), bucket, "a/2"))
		require.Equal(t, start, time.Now())
		require.NoError(t, <-firstErr)

		// After 61 seconds in all, the credentials have expired.
		time.Sleep(16 * time.Second)
		err := upload(t.Context(), bucket, "a/1")
		require.Equal(t, storage.Unauthenticated, storage.CodeOf(err))

		// The catalog works again.
		catalog.vendErr = nil
		require.NoError(t, upload(t.Context(), bucket, "a/1"))
		require.Len(t, catalog.vendedKeys(), 4, "each upload except that of a/2 must have asked the catalog")
	})
}

// If CredentialsFor fails, the request fails with the Code of the error from CredentialsFor. Codes
// that say something about an object, and unknown Codes, are replaced.
func TestCredentialsMissing(t *testing.T) {
	tests := []struct {
		name    string
		vendErr error // of the catalog
		want    storage.Code
	}{
		{name: "because the catalog refuses", vendErr: errors.New("401"), want: storage.Unauthenticated},
		{
			name:    "because the catalog is not there",
			vendErr: &storage.Error{Code: storage.Unavailable, Err: errors.New("502")},
			want:    storage.Unavailable,
		},
		{name: "with a code alone", vendErr: storage.PermissionDenied, want: storage.PermissionDenied},
		{
			name:    "with a code about another object",
			vendErr: storage.PreconditionFailed,
			want:    storage.Unauthenticated,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			catalog := &catalog{vendErr: func(context.Context, string) error { return tt.vendErr }}
			err := upload(t.Context(), catalog.openBucket(), "a/1")
			require.Equal(t, tt.want, storage.CodeOf(err))
			require.NotErrorIs(t, err, storage.OutcomeUnknown)
			require.Len(t, catalog.vendedKeys(), 1)
		})
	}
}

// A request fails with Unauthenticated if CredentialsFor returns credentials that cannot be used for it.
func TestCredentialsUnusable(t *testing.T) {
	tests := []struct {
		name  string
		grant *grant
	}{
		{name: "credentials for another prefix", grant: &grant{Prefix: "b/"}},
		{name: "expired credentials", grant: &grant{Expires: time.Now().Add(-time.Second)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The function of this keyring is the caller's CredentialsFor.
			keyring := vended.NewKeyring(func(context.Context, string) (*grant, error) { return tt.grant, nil })
			store := new(catalog).newStore(keyring)
			bucket := engine.New(vended.New(store, keyring))

			err := upload(t.Context(), bucket, "a/1")
			require.Equal(t, storage.Unauthenticated, storage.CodeOf(err))
		})
	}
}

// If CredentialsFor fails with ObjectNotFound, the request fails with Unauthenticated, so that the object does not
// seem to be missing.
func TestCredentialsNotFoundCode(t *testing.T) {
	catalog := &catalog{vendErr: func(ctx context.Context, _ string) error {
		_, _, err := storage.ReadAll(ctx, memstore.New(), "secret")
		return err
	}}
	bucket := catalog.openBucket()

	_, err := bucket.Exists(t.Context(), "a/1")
	require.Equal(t, storage.Unauthenticated, storage.CodeOf(err))
	require.NotErrorIs(t, err, fs.ErrNotExist)
	require.Error(t, bucket.Remove(t.Context(), "a/1"))
}

// If a request that waits for credentials is canceled, the other requests still get them.
func TestCredentialsRequestCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waitOneSecond := func(ctx context.Context, _ string) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
				return nil
			}
		}
		catalog := &catalog{vendErr: waitOneSecond}
		bucket := catalog.openBucket()

		// Two uploads wait for the same credentials.
		ctx, cancel := context.WithCancel(t.Context())
		firstErr := make(chan error, 1)
		go func() {
			firstErr <- upload(ctx, bucket, "a/1")
		}()
		synctest.Wait()
		secondErr := make(chan error, 1)
		go func() {
			secondErr <- upload(t.Context(), bucket, "a/2")
		}()
		synctest.Wait()

		// The upload that asked for the credentials is canceled.
		cancel()
		require.Equal(t, storage.Canceled, storage.CodeOf(<-firstErr))
		require.NoError(t, <-secondErr)
	})
}

// All requests that wait share one answer of the catalog, even if that is an error or credentials that have nearly
// expired.
func TestCredentialsAnswerShared(t *testing.T) {
	const catalogDelay = 10 * time.Second
	tests := []struct {
		name     string
		lifetime time.Duration
		err      error
	}{
		{name: "the catalog's own timeout", err: context.DeadlineExceeded},
		{name: "credentials that have nearly expired", lifetime: 20 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				catalog := &catalog{
					lifetime: tt.lifetime,
					vendErr: func(context.Context, string) error {
						time.Sleep(catalogDelay)
						return tt.err
					},
				}
				bucket := catalog.openBucket()

				start := time.Now()
				var group sync.WaitGroup
				for range 16 {
					group.Go(func() {
						_ = upload(t.Context(), bucket, "a/1") // may fail
					})
				}
				group.Wait()

				require.Equal(t, catalogDelay, time.Since(start))
				require.Len(t, catalog.vendedKeys(), 1)
			})
		})
	}
}

// RemoveAll sends one batch for all keys with the same credentials. The keys of a batch have one
// prefix.
func TestDeleteBatchDividedByCredentials(t *testing.T) {
	catalog := &catalog{}
	bucket := catalog.openBucket()
	keys := []string{"a/1", "b/1", "a/2", "b/3"}
	for _, key := range keys {
		require.NoError(t, upload(t.Context(), bucket, key))
	}

	removed, err := storage.RemoveAll(t.Context(), bucket, slices.Values(keys))
	require.NoError(t, err)
	require.Equal(t, len(keys), removed)
	require.Equal(t, 1, catalog.count("DeleteBatch", "a/"))
	require.Equal(t, 1, catalog.count("DeleteBatch", "b/"))
}

// A copy between keys with the same credentials is a request to the store. Otherwise Copy and
// Compose pass the bytes through the process, because no credentials permit both the read and the
// write.
func TestCopyAndComposeDividedByCredentials(t *testing.T) {
	// The catalog vends credentials for each folder, and counts the requests to the store.
	catalog := &catalog{}
	bucket := catalog.openBucket()
	for _, key := range []string{"a/1", "b/1"} {
		require.NoError(t, upload(t.Context(), bucket, key))
	}

	// A copy within a folder is one request to the store.
	_, err := storage.Copy(t.Context(), bucket, "a/3", bucket, "a/1")
	require.NoError(t, err)
	require.Equal(t, 1, catalog.count("Copy", "a/"))

	// Between two folders, the store gets no request to copy or to compose.
	_, err = storage.Copy(t.Context(), bucket, "b/3", bucket, "a/1")
	require.NoError(t, err)
	require.Zero(t, catalog.count("Copy", "b/"))

	_, err = storage.Compose(t.Context(), bucket, "b/4", []string{"b/1", "a/1"})
	require.NoError(t, err)
	require.Zero(t, catalog.count("Compose", "b/"))
	content, _, err := storage.ReadAll(t.Context(), bucket, "b/4")
	require.NoError(t, err)
	require.Equal(t, "b/1a/1", string(content))
}

// A copy fails if there are no credentials for its source. It is not requested with the credentials
// of its target alone.
func TestCopyWithoutCredentialsOfSource(t *testing.T) {
	noCredentialsForA := func(_ context.Context, key string) error {
		if strings.HasPrefix(key, "a/") {
			return storage.PermissionDenied
		}
		return nil
	}
	catalog := &catalog{vendErr: noCredentialsForA}
	keyring := vended.NewKeyring(catalog.vend)
	d := vended.New(catalog.newStore(keyring), keyring)

	_, err := d.Copy(t.Context(), &driver.CopyRequest{Key: "b/1", Source: d.Locate("a/1")})
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(err))
	require.Zero(t, catalog.count("Copy", "b/"))
}

// Vended credentials are replaced once if the store refuses them before they expire. The reason may
// be that they were revoked, or that a clock is wrong.
func TestCredentialsRefused(t *testing.T) {
	const firstCredentials = "a/1" // the catalog numbers the credentials for the folder "a"
	tests := []struct {
		name      string
		refuses   func(credentials string) bool // the store, from the second write on
		wantCalls int                           // of the catalog for the second write
		want      storage.Code
	}{
		{
			name:      "first credentials refused",
			refuses:   func(credentials string) bool { return credentials == firstCredentials },
			wantCalls: 1,
			want:      "",
		},
		{
			name:      "all credentials refused",
			refuses:   func(string) bool { return true },
			wantCalls: 1,
			want:      storage.Unauthenticated,
		},
		{
			name:      "no credentials refused",
			refuses:   func(string) bool { return false },
			wantCalls: 0,
			want:      "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			catalog := &catalog{attempts: 3}
			bucket := catalog.openBucket()
			require.NoError(t, upload(t.Context(), bucket, "a/first"))
			callsBefore := len(catalog.vendedKeys())

			catalog.refuses = tt.refuses
			require.Equal(t, tt.want, storage.CodeOf(upload(t.Context(), bucket, "a/second")))
			require.Len(t, catalog.vendedKeys(), callsBefore+tt.wantCalls)
		})
	}
}

// If the store refuses credentials that are new, a write does not ask for others, but the next write does.
func TestCredentialsRefusedAtOnce(t *testing.T) {
	catalog := &catalog{attempts: 3, refuses: func(string) bool { return true }}
	bucket := catalog.openBucket()
	for wantCalls := 1; wantCalls <= 3; wantCalls++ {
		err := upload(t.Context(), bucket, "a/1")
		require.Equal(t, storage.Unauthenticated, storage.CodeOf(err))
		require.Len(t, catalog.vendedKeys(), wantCalls)
	}
}

// If the store refuses the credentials of a batch, one call of the catalog replaces them for all
// keys of the batch.
func TestCredentialsRefusedForBatch(t *testing.T) {
	catalog := &catalog{attempts: 3}
	bucket := catalog.openBucket()
	require.NoError(t, upload(t.Context(), bucket, "a/1"))
	catalog.refuses = func(credentials string) bool { return credentials == "a/1" }

	removed, err := storage.RemoveAll(t.Context(), bucket, slices.Values([]string{"a/1", "a/b/2", "a/c/3"}))
	require.NoError(t, err)
	require.Equal(t, 3, removed)
	require.Len(t, catalog.vendedKeys(), 2)
}

// Each request of a call gets current credentials, because the call may last longer than the
// credentials of its first request.
func TestCredentialsOfEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		catalog := &catalog{lifetime: time.Minute}
		keyring := vended.NewKeyring(catalog.vend)

		// sendRequests replaces each call of the store: it sends six requests, 20 seconds apart.
		var used []string
		sendRequests := func(ctx context.Context, _ string, _ func(context.Context) error) error {
			for range 6 {
				credentials, err := keyring.Credentials(ctx)
				require.NoError(t, err)
				used = append(used, credentials)
				time.Sleep(20 * time.Second)
			}
			return nil
		}
		store := driver.Intercept(memstore.NewDriver(memstore.Config{}), sendRequests)
		d := vended.New(store, keyring)

		// Credentials are valid for a minute, and are replaced after half of it. The catalog numbers them.
		require.NoError(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: "a/object"}))
		require.Equal(t, []string{"a/1", "a/1", "a/2", "a/2", "a/3", "a/3"}, used)

		// Without a call, there is no key to get credentials for.
		_, err := keyring.Credentials(t.Context())
		require.Equal(t, storage.Unauthenticated, storage.CodeOf(err))
	})
}

// Credentials that are valid for only 20 seconds are used for ten seconds.
func TestCredentialsOfSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		catalog := &catalog{lifetime: 20 * time.Second}
		bucket := catalog.openBucket()

		// Each upload is four seconds after the one before.
		for _, wantCalls := range []int{1, 1, 1, 2, 2, 2, 3} {
			require.NoError(t, upload(t.Context(), bucket, "a/1"))
			require.Len(t, catalog.vendedKeys(), wantCalls)
			time.Sleep(4 * time.Second)
		}
	})
}
