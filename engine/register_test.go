package engine_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

// OpenServiceDriver refuses the parameters of an address that only a bucket has.
func TestOpenServiceDriverRefusesWhatOnlyABucketHas(t *testing.T) {
	service, err := engine.OpenServiceDriver(t.Context(), "mem://")
	require.NoError(t, err)
	require.Equal(t, "memory", service.Provider())
	require.NoError(t, service.Close())

	for _, address := range []string{
		"mem://?versions=true",
		"mem://?public_base_url=https://cdn.example.com",
		"mem://?colour=red",
	} {
		_, err = engine.OpenServiceDriver(t.Context(), address)
		require.ErrorIs(t, err, storage.InvalidArgument, address)
		require.ErrorContains(t, err, "OpenServiceDriver", address)
	}
}

// Register panics for a scheme that is registered already.
func TestRegisterTwicePanics(t *testing.T) {
	require.PanicsWithValue(t, "storage: Register: scheme mem is registered already", func() {
		engine.Register("mem", driver.Opener{})
	})
}

// If New gets an invalid option, every operation of the bucket fails with its error.
func TestNewWithBadOption(t *testing.T) {
	options := map[string]storage.OpenOption{
		"base address": storage.WithPublicBaseURL("nonsense"),
		"hook":         storage.WithHook(nil),
		"nil":          nil,

		"a layer of nil": openFunc(func(o *storage.OpenOptions) {
			o.Layers = []any{nil}
		}),
		"a layer of another type": openFunc(func(o *storage.OpenOptions) {
			o.Layers = []any{3}
		}),
		"a layer that returns nil": driver.WithLayer(func(driver.Driver) driver.Driver { return nil }),
		"a hook of nil": openFunc(func(o *storage.OpenOptions) {
			o.Hooks = []storage.Hook{nil}
		}),
		"an address of a script": openFunc(func(o *storage.OpenOptions) {
			o.PublicBaseURL = "javascript:alert(1)"
		}),
		"a signing address": openFunc(func(o *storage.OpenOptions) {
			o.SigningBaseURL = "::no"
		}),
		"a soft delete in the past": openFunc(func(o *storage.OpenOptions) {
			o.SoftDelete = -1
		}),
	}
	for name, opt := range options {
		t.Run(name, func(t *testing.T) {
			bucket := memstore.New(opt)
			_, err := bucket.Upload(t.Context(), "k", strings.NewReader(""))
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
			_, err = bucket.PublicURL("k")
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
		})
	}
}

// An openFunc is an OpenOption, as another package may define one.
type openFunc func(*storage.OpenOptions)

func (o openFunc) ApplyOpen(target *storage.OpenOptions) { o(target) }

// If an option of another package sets a base URL without a final slash, New adds it.
func TestNewAddsSlashToBase(t *testing.T) {
	bucket := memstore.New(openFunc(func(o *storage.OpenOptions) {
		o.Public = true
		o.PublicBaseURL = "https://cdn.example.com"
	}))
	url, err := bucket.PublicURL("a")
	require.NoError(t, err)
	require.Equal(t, "https://cdn.example.com/a", url)
}

// Register panics for a scheme that no address can have.
func TestRegisterRefusesBadSchemes(t *testing.T) {
	for _, scheme := range []string{"", "Upper", "with space", "1digit"} {
		require.Panics(t, func() {
			storage.Register(scheme, storage.Opener{})
		}, scheme)
	}
}

// If an opener returns neither a bucket nor an error, Open fails with Internal.
func TestRegisterOpenerOfNothing(t *testing.T) {
	storage.Register("opens-nothing", storage.Opener{
		Bucket: func(context.Context, *url.URL, []storage.OpenOption) (storage.Bucket, error) {
			return nil, nil
		},
		Service: func(context.Context, *url.URL, []storage.OpenOption) (storage.Service, error) {
			return nil, nil
		},
	})
	_, err := storage.Open(t.Context(), "opens-nothing://a")
	require.Equal(t, storage.Internal, storage.CodeOf(err))
	_, err = storage.OpenService(t.Context(), "opens-nothing://")
	require.Equal(t, storage.Internal, storage.CodeOf(err))
}

// CheckAddress fails with InvalidArgument for each address for which Open does.
func TestCheckAddressRefusesWhatOpenRefuses(t *testing.T) {
	for _, address := range []string{
		"",
		"nowhere://a",
		"mem://a?colour=red",
		"mem://a?part_size=-1",
		"mem://a?public_base_url=zz",
		"mem://a?versions=yes",
	} {
		err := storage.CheckAddress(address)
		require.ErrorIs(t, err, storage.InvalidArgument, address)
		require.ErrorContains(t, err, "CheckAddress", address)
		_, err = storage.Open(t.Context(), address)
		require.ErrorIs(t, err, storage.InvalidArgument, address)
	}
	require.NoError(t, storage.CheckAddress("mem://a?part_size=8388608&versions=true"))
}

// AsError takes a nil *storage.Error in an error for a failure with the Code Internal.
func TestAsErrorOfNilPointer(t *testing.T) {
	var none *storage.Error
	require.Equal(t, storage.Internal, storage.AsError(t.Context(), none).Code)
	require.Nil(t, storage.AsError(t.Context(), nil))
}
