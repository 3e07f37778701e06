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

func TestOpenServiceDriverRefusesWhatOnlyABucketHas(t *testing.T) {
	d, err := engine.OpenServiceDriver(t.Context(), "mem://")
	require.NoError(t, err)
	require.Equal(t, "memory", d.Provider())
	require.NoError(t, d.Close())
	for _, address := range []string{"mem://?versions=true", "mem://?public_base_url=https://cdn.example.com", "mem://?colour=red"} {
		_, err = engine.OpenServiceDriver(t.Context(), address)
		require.ErrorIs(t, err, storage.InvalidArgument, address)
		require.ErrorContains(t, err, "OpenServiceDriver", address)
	}
}

func TestRegisterTwicePanics(t *testing.T) {
	require.PanicsWithValue(t, "storage: Register: scheme mem is registered already", func() {
		engine.Register("mem", driver.Opener{})
	})
}

// If New gets an invalid option, every operation of the bucket fails with its error.
func TestNewWithBadOption(t *testing.T) {
	for name, opt := range map[string]storage.OpenOption{
		"base address": storage.WithPublicBaseURL("nonsense"),
		"hook":         storage.WithHook(nil),
		"nil":          nil,

		"a layer of nil": opening(func(o *storage.OpenOptions) {
			o.Layers = []any{nil}
		}),
		"a layer of another type": opening(func(o *storage.OpenOptions) {
			o.Layers = []any{3}
		}),
		"a layer that returns nil": driver.WithLayer(func(driver.Driver) driver.Driver { return nil }),
		"a hook of nil": opening(func(o *storage.OpenOptions) {
			o.Hooks = []storage.Hook{nil}
		}),
		"an address of a script": opening(func(o *storage.OpenOptions) {
			o.PublicBaseURL = "javascript:alert(1)"
		}),
		"a signing address": opening(func(o *storage.OpenOptions) {
			o.SigningBaseURL = "::no"
		}),
		"a soft delete in the past": opening(func(o *storage.OpenOptions) {
			o.SoftDelete = -1
		}),
	} {
		t.Run(name, func(t *testing.T) {
			b := memstore.New(opt)
			_, err := b.Upload(t.Context(), "k", strings.NewReader(""))
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
			_, err = b.PublicURL("k")
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
		})
	}
}

// opening is an option of another package.
type opening func(*storage.OpenOptions)

func (o opening) ApplyOpen(target *storage.OpenOptions) { o(target) }

// If an option of another package sets a base URL without a final slash, New adds it.
func TestNewAddsSlashToBase(t *testing.T) {
	b := memstore.New(opening(func(o *storage.OpenOptions) {
		o.Public = true
		o.PublicBaseURL = "https://cdn.example.com"
	}))
	url, err := b.PublicURL("a")
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

func TestCheckAddressRefusesWhatOpenRefuses(t *testing.T) {
	for _, address := range []string{
		"", "nowhere://a", "mem://a?colour=red", "mem://a?part_size=-1", "mem://a?public_base_url=zz", "mem://a?versions=yes",
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
