package console

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/transfer"
)

func TestProgressText(t *testing.T) {
	const MiB = 1 << 20
	for _, row := range []struct {
		name  string
		state transfer.Progress
		files bool
		want  string
	}{
		{"an object", transfer.Progress{Bytes: MiB, TotalBytes: 3 * MiB, Listed: true, Rate: MiB}, false,
			" 1.0 MiB/3.0 MiB, 1.0 MiB/s, ETA 0:02"},
		{"an object of unknown size", transfer.Progress{Bytes: 191 * MiB, Rate: MiB}, false,
			" 191.0 MiB, 1.0 MiB/s, ETA -"},
		{"a job that lists", transfer.Progress{Files: 1, TotalFiles: 3, Bytes: MiB, TotalBytes: 3 * MiB, Rate: MiB},
			true, " 1/3+ files, 1.0 MiB/3.0 MiB+, 1.0 MiB/s, ETA -"},
		{"several objects, of which none tells its size",
			transfer.Progress{Files: 1, TotalFiles: 3, Bytes: MiB, Rate: MiB}, true,
			" 1/3+ files, 1.0 MiB, 1.0 MiB/s, ETA -"},
		{"a job of empty files", transfer.Progress{Files: 1, TotalFiles: 3, Listed: true, Elapsed: time.Second}, true,
			" 1/3 files, 0 B/0 B, 0 B/s, ETA -"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := &ProgressBar{state: row.state, files: row.files}
			require.Equal(t, row.want, b.text())
		})
	}
}
