package engine_test

import (
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

func TestEveryOperationFailsWithTheErrorOfABadOption(t *testing.T) {
	for name, opt := range map[string]storage.OpenOption{
		"base address": storage.WithPublicBaseURL("nonsense"),
		"hook":         storage.WithHook(nil),
		"nil":          nil,
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
