package transfer_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// onHead returns a bucket that calls do once: before it reads the attributes of an object, or after.
func onHead(d driver.Driver, before bool, do func()) storage.Bucket {
	var once sync.Once
	return engine.New(d, driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call != "Head" {
				return next(ctx)
			}
			if before {
				once.Do(do)
			}
			err := next(ctx)
			if !before {
				once.Do(do)
			}
			return err
		})
	}))
}

// A move removes a file because of one that it has not written only if that one is still there: a move in the opposite
// direction may have removed it since it was compared.
func TestAMoveLooksAgainAtAFileThatItHasNotWritten(t *testing.T) {
	both := map[string]string{"k": "precious"}
	filled := func() (driver.Driver, storage.Bucket) {
		d := memstore.NewDriver(memstore.Config{})
		b := engine.New(d)
		put(t, b, "k", both["k"])
		return d, b
	}
	move := func(dst, src transfer.End) error {
		_, err := transfer.Sync(t.Context(), dst, src, transfer.WithMove())
		return err
	}
	for name, meanwhile := range map[string]func(q, p storage.Bucket){
		"a move in the opposite direction": func(q, p storage.Bucket) {
			require.NoError(t, move(transfer.Bucket(p), transfer.Bucket(q)))
		},
		"another object at the destination": func(q, _ storage.Bucket) { put(t, q, "k", "precarious") },
	} {
		t.Run(name, func(t *testing.T) {
			_, p := filled()
			d, q := filled()
			hooked := onHead(d, false, func() { meanwhile(q, p) })
			require.ErrorIs(t, move(transfer.Bucket(hooked), transfer.Bucket(p)), storage.Changed)
			require.Equal(t, both, contents(t, p))
		})
	}
	t.Run("another file in the directory", func(t *testing.T) {
		dir := tree(t, both)
		d, p := filled()
		hooked := onHead(d, true, func() {
			require.NoError(t, os.Chtimes(filepath.Join(dir, "k"), time.Time{}, time.Now().Add(-time.Hour)))
		})
		require.ErrorIs(t, move(transfer.Dir(dir), transfer.Bucket(hooked)), storage.Changed)
		require.Equal(t, both, contents(t, p))
	})
	t.Run("the object is as it was", func(t *testing.T) {
		_, p := filled()
		_, q := filled()
		require.NoError(t, move(transfer.Bucket(q), transfer.Bucket(p)))
		require.Empty(t, contents(t, p))
		require.Equal(t, both, contents(t, q))
	})
}

// With WithMissingOnly, a file that appears in the directory meanwhile may be another one. It is skipped, and the
// source keeps its own.
func TestAMoveOfMissingFilesKeepsTheSourceOfOneThatAppears(t *testing.T) {
	d, dir := memstore.NewDriver(memstore.Config{}), t.TempDir()
	p := engine.New(d)
	put(t, p, "k", "precious")
	injector := faults.New(faults.Delay(faults.Get, 1))
	injector.SetSleep(func(context.Context, time.Duration) error {
		return os.WriteFile(filepath.Join(dir, "k"), []byte("another"), 0o600)
	})
	src := transfer.Bucket(engine.New(d, driver.WithLayer(injector.Layer())))
	_, err := transfer.Sync(t.Context(), transfer.Dir(dir), src, transfer.WithMove(), transfer.WithMissingOnly())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "precious"}, contents(t, p))
}
