package transfer_test

import (
	"context"
	"os"
	"path/filepath"
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

// While Sync runs, a file may appear in the destination directory. Sync does not replace this file.
// It succeeds if another run of the same job wrote the file.
func TestSyncFileAppearsMeanwhile(t *testing.T) {
	runAnotherJob := func(t *testing.T, src storage.Bucket, dir string) {
		_, err := transfer.Sync(t.Context(), transfer.Dir(dir), transfer.Bucket(src))
		require.NoError(t, err)
	}
	tests := []struct {
		name      string
		key       string
		meanwhile func(t *testing.T, src storage.Bucket, dir string) // makes the file appear
		want      error
	}{
		{name: "the file of another run of the job", key: "folder/a", meanwhile: runAnotherJob},
		{
			name: "another file",
			key:  "a",
			meanwhile: func(t *testing.T, _ storage.Bucket, dir string) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("theirs"), 0o600))
			},
			want: storage.PreconditionFailed,
		},
		{
			name: "a file that is also found in another case, and may have another name",
			key:  "a",
			meanwhile: func(t *testing.T, src storage.Bucket, dir string) {
				runAnotherJob(t, src, dir)
				require.NoError(t, os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "A")))
			},
			want: storage.PreconditionFailed,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := memstore.NewDriver(memstore.Config{})
			src := engine.New(d)
			put(t, src, tt.key, "ours")
			dir := t.TempDir()

			// The file appears when the job reads the object, because the delay of that request writes the file.
			injector := faults.New(faults.Delay(faults.Get, 1))
			injector.SetSleep(func(context.Context, time.Duration) error {
				tt.meanwhile(t, src, dir)
				return nil
			})
			delayedSrc := engine.New(d, driver.WithLayer(injector.Layer()))

			report, err := transfer.Sync(t.Context(), transfer.Dir(dir), transfer.Bucket(delayedSrc))
			require.ErrorIs(t, err, tt.want)
			if tt.want == nil {
				require.EqualValues(t, 1, report.Skipped)
				require.Zero(t, report.Transferred)
			}
		})
	}
}
