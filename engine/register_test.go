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

// OpenServiceDriver opens the driver of an account by its address.
func TestOpenServiceDriver(t *testing.T) {
	service, err := engine.OpenServiceDriver(t.Context(), "mem://")
	require.NoError(t, err)
	require.Equal(t, "memory", service.Provider())
	require.NoError(t, service.Close())
}

// OpenServiceDriver fails with InvalidArgument for a parameter that is unknown or that only a bucket has.
func TestOpenServiceDriverRefusesParameters(t *testing.T) {
	addresses := []string{
		"mem://?versions=true",
		"mem://?public_base_url=https://cdn.example.com",
		"mem://?colour=red",
	}
	for _, address := range addresses {
		t.Run(address, func(t *testing.T) {
			_, err := engine.OpenServiceDriver(t.Context(), address)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "OpenServiceDriver")
		})
	}
}

// Register panics for a scheme that is registered already.
func TestRegisterTwicePanics(t *testing.T) {
	require.PanicsWithValue(t, "storage: Register: scheme mem is registered already", func() {
		engine.Register("mem", driver.Opener{})
	})
}

// Every operation of a bucket that was opened with an invalid option fails with InvalidArgument.
func TestNewWithBadOption(t *testing.T) {
	options := map[string]storage.OpenOption{
		"WithPublicBaseURL of no URL": storage.WithPublicBaseURL("nonsense"),
		"WithHook of nil":             storage.WithHook(nil),
		"nil":                         nil,

		"a nil layer": openFunc(func(o *storage.OpenOptions) {
			o.Layers = []any{nil}
		}),
		"a layer of another type": openFunc(func(o *storage.OpenOptions) {
			o.Layers = []any{3}
		}),
		"a layer that returns nil": driver.WithLayer(func(driver.Driver) driver.Driver { return nil }),
		"a nil hook": openFunc(func(o *storage.OpenOptions) {
			o.Hooks = []storage.Hook{nil}
		}),
		"a public base URL with another scheme": openFunc(func(o *storage.OpenOptions) {
			o.PublicBaseURL = "javascript:alert(1)"
		}),
		"a signing base URL that is malformed": openFunc(func(o *storage.OpenOptions) {
			o.SigningBaseURL = "::no"
		}),
		"a negative soft delete": openFunc(func(o *storage.OpenOptions) {
			o.SoftDelete = -1
		}),
	}
	for name, opt := range options {
		t.Run(name, func(t *testing.T) {
			// New cannot return an error. So each operation returns the error of the invalid option.
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

// New adds the final slash to a base URL that an option of another package has set without it.
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

// Open and OpenService fail with Internal if the opener of the scheme returns neither a result nor an error.
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

// CheckAddress fails with InvalidArgument for an address that Open refuses because of its form.
func TestCheckAddressRefusesWhatOpenRefuses(t *testing.T) {
	tests := []struct {
		name    string
		address string
	}{
		{name: "empty", address: ""},
		{name: "unknown scheme", address: "nowhere://a"},
		{name: "unknown parameter", address: "mem://a?colour=red"},
		{name: "negative part_size", address: "mem://a?part_size=-1"},
		{name: "malformed public_base_url", address: "mem://a?public_base_url=zz"},
		{name: "malformed versions", address: "mem://a?versions=yes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := storage.CheckAddress(tt.address)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "CheckAddress")

			_, err = storage.Open(t.Context(), tt.address)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// CheckAddress accepts an address with known parameters.
func TestCheckAddress(t *testing.T) {
	require.NoError(t, storage.CheckAddress("mem://a?part_size=8388608&versions=true"))
}

// If an error wraps a nil *storage.Error, AsError makes it an error with the Code Internal.
func TestAsErrorOfNilPointer(t *testing.T) {
	var none *storage.Error
	require.Equal(t, storage.Internal, storage.AsError(t.Context(), none).Code)
	require.Nil(t, storage.AsError(t.Context(), nil))
}
