package vended_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/vended"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/vendedtest"
)

type ask = func(ctx context.Context, key string) (*storage.VendedCredentials, error)

// A clock tells a time that only the test changes.
type clock struct{ now time.Time }

// newClock returns a clock that stands still.
func newClock() *clock { return &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) time() time.Time         { return c.now }
func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

// newStore returns a bucket and its clients in the form that the suite of vended credentials needs.
func newStore(t *testing.T, d driver.Driver, c *clock) vendedtest.Store {
	program := engine.New(d)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(program))
	})
	return vendedtest.Store{
		Program: program,
		Advance: c.advance,
		Client: func(_ *testing.T, ask ask) storage.Bucket {
			return engine.New(d, driver.WithLayer(vended.New(ask)))
		},
	}
}

// Vended credentials of a bucket in memory pass the conformance suite.
func TestCredentialsOfMemory(t *testing.T) {
	vendedtest.Run(t, func(t *testing.T) vendedtest.Store {
		clock := newClock()
		return newStore(t, memstore.NewDriver(memstore.Config{Versioned: true, Now: clock.time}), clock)
	})
}

// Vended credentials of a directory pass the conformance suite.
func TestCredentialsOfDirectory(t *testing.T) {
	vendedtest.Run(t, func(t *testing.T) vendedtest.Store {
		clock := newClock()
		d, err := local.NewDriver(t.TempDir(), local.Config{Now: clock.time})
		require.NoError(t, err)
		return newStore(t, d, clock)
	})
}

// Vended credentials give access to one bucket of an account only.
func TestCredentialsAreOfOneBucket(t *testing.T) {
	account := memstore.NewServiceDriver(memstore.ServiceConfig{})
	service := engine.NewService(account)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	for _, name := range []string{"own", "other"} {
		_, err := service.CreateBucket(t.Context(), name)
		require.NoError(t, err)
	}

	// The credentials are for all keys of one bucket.
	ownBucket, err := service.Bucket("own")
	require.NoError(t, err)
	const prefix = ""
	rights := storage.Rights{Read: true, List: true}
	credentials, err := storage.Vend(t.Context(), ownBucket, prefix, rights, time.Hour)
	require.NoError(t, err)
	credentialsOfOwn := func(context.Context, string) (*storage.VendedCredentials, error) {
		return credentials, nil
	}

	tests := []struct {
		bucket string
		want   storage.Code // "" if the credentials give access
	}{
		{bucket: "own", want: ""},
		{bucket: "other", want: storage.Unauthenticated},
	}
	for _, tt := range tests {
		t.Run(tt.bucket, func(t *testing.T) {
			d, err := account.Driver(tt.bucket)
			require.NoError(t, err)
			client := engine.New(d, driver.WithLayer(vended.New(credentialsOfOwn)))

			_, err = storage.ListPage(t.Context(), client, "")
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}

// A call fails if the function that vends credentials is nil, fails or returns no token.
func TestCredentialsFunctionFails(t *testing.T) {
	returns := func(vended *storage.VendedCredentials, err error) ask {
		return func(context.Context, string) (*storage.VendedCredentials, error) { return vended, err }
	}
	tests := []struct {
		name string
		ask  ask
		want storage.Code
	}{
		{
			name: "no function",
			ask:  nil,
			want: storage.InvalidArgument,
		},
		{
			name: "an error",
			ask:  returns(nil, errors.New("the catalog is gone")),
			want: storage.Unauthenticated,
		},
		{
			name: "an error with a code",
			ask:  returns(nil, &storage.Error{Code: storage.PermissionDenied}),
			want: storage.PermissionDenied,
		},
		{
			name: "nothing",
			ask:  returns(nil, nil),
			want: storage.Unauthenticated,
		},
		{
			name: "no token",
			ask:  returns(&storage.VendedCredentials{}, nil),
			want: storage.Unauthenticated,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := memstore.New(driver.WithLayer(vended.New(tt.ask)))

			_, err := b.Attrs(t.Context(), "a")
			require.Equal(t, tt.want, storage.CodeOf(err), err)
		})
	}
}

// A store that vends credentials itself is refused.
func TestCredentialsOfStoreWithOwn(t *testing.T) {
	hideOrigin := func(d driver.Driver) driver.Driver { return originless{d} }
	noCredentials := func(context.Context, string) (*storage.VendedCredentials, error) {
		return nil, nil
	}
	b := memstore.New(driver.WithLayer(hideOrigin), driver.WithLayer(vended.New(noCredentials)))

	_, err := b.Attrs(t.Context(), "a")
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "CredentialsFor")
}

// An originless driver hides that its store can vend credentials.
type originless struct{ driver.Driver }

// Describe hides that the store can vend credentials.
func (o originless) Describe() driver.Description {
	desc := o.Driver.Describe()
	desc.Origin = nil
	desc.NeedsSigningBase = false
	return desc
}
