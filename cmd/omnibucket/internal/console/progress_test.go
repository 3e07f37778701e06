package console

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/transfer"
)

// The text beside a bar shows the files, the bytes, the rate and the remaining time, if they are
// known.
func TestProgressText(t *testing.T) {
	const MiB = 1 << 20
	tests := []struct {
		name  string
		state transfer.Progress
		files bool // whether the job counts files
		want  string
	}{
		{
			name:  "an object",
			state: transfer.Progress{Bytes: MiB, TotalBytes: 3 * MiB, Listed: true, Rate: MiB},
			want:  " 1.0 MiB/3.0 MiB, 1.0 MiB/s, ETA 0:02",
		},
		{
			name:  "an object of unknown size",
			state: transfer.Progress{Bytes: 191 * MiB, Rate: MiB},
			want:  " 191.0 MiB, 1.0 MiB/s, ETA -",
		},
		{
			name:  "a job that lists",
			state: transfer.Progress{Files: 1, TotalFiles: 3, Bytes: MiB, TotalBytes: 3 * MiB, Rate: MiB},
			files: true,
			want:  " 1/3+ files, 1.0 MiB/3.0 MiB+, 1.0 MiB/s, ETA -",
		},
		{
			name:  "several objects, of which none tells its size",
			state: transfer.Progress{Files: 1, TotalFiles: 3, Bytes: MiB, Rate: MiB},
			files: true,
			want:  " 1/3+ files, 1.0 MiB, 1.0 MiB/s, ETA -",
		},
		{
			name:  "a job of empty files",
			state: transfer.Progress{Files: 1, TotalFiles: 3, Listed: true, Elapsed: time.Second},
			files: true,
			want:  " 1/3 files, 0 B/0 B, 0 B/s, ETA -",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &ProgressBar{state: tt.state, files: tt.files}
			require.Equal(t, tt.want, b.text())
		})
	}
}
