package transfer_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
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

// If a file appears in the destination directory while Sync downloads it, Sync does not replace it. If another run
// of the same job wrote it, Sync succeeds.
func TestSyncFileAppearsMeanwhile(t *testing.T) {
	other := func(t *testing.T, source storage.Bucket, dir string) { // another run of the job
		_, err := transfer.Sync(t.Context(), transfer.Dir(dir), transfer.Bucket(source))
		require.NoError(t, err)
	}
	tests := []struct {
		name    string
		key     string
		appears func(t *testing.T, source storage.Bucket, dir string)
		want    error
	}{
		{name: "that of another run of the job is the same", key: "folder/a", appears: other, want: nil},
		{
			name: "another file stays",
			key:  "a",
			appears: func(t *testing.T, _ storage.Bucket, dir string) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("theirs"), 0o600))
			},
			want: storage.PreconditionFailed,
		},
		{
			name: "one that is also found in another case may have another name",
			key:  "a",
			appears: func(t *testing.T, source storage.Bucket, dir string) {
				other(t, source, dir)
				require.NoError(t, os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "A")))
			},
			want: storage.PreconditionFailed,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := memstore.NewDriver(memstore.Config{})
			source := engine.New(d)
			dir := t.TempDir()
			_, err := source.Upload(t.Context(), tt.key, strings.NewReader("ours"))
			require.NoError(t, err)
			injector := faults.New(faults.Delay(faults.Get, 1))
			injector.SetSleep(func(context.Context, time.Duration) error {
				tt.appears(t, source, dir)
				return nil
			})

			report, err := transfer.Sync(t.Context(), transfer.Dir(dir),
				transfer.Bucket(engine.New(d, driver.WithLayer(injector.Layer()))))
			require.ErrorIs(t, err, tt.want)
			if tt.want == nil {
				require.EqualValues(t, 1, report.Skipped)
				require.Zero(t, report.Transferred)
			}
		})
	}
}
