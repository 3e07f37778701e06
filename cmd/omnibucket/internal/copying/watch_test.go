package copying

import (
	"path/filepath"
	"testing"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/evidence"
)

// To learn whether both directories are the same, a sync stores a small file in the source. The
// watcher starts no sync for this file.
func TestWatchIgnoresQuestions(t *testing.T) {
	tests := []struct {
		name       string
		file       string
		wantChange bool
	}{
		{name: "the small file", file: evidence.NewKey(""), wantChange: false},
		{name: "another file", file: "file", wantChange: true},
	}
	for _, tt := range tests {
		for _, op := range []fsnotify.Op{fsnotify.Create, fsnotify.Write, fsnotify.Remove} {
			t.Run(tt.name+" "+op.String(), func(t *testing.T) {
				w := &watch{root: t.TempDir(), folders: map[string]bool{}}
				event := fsnotify.Event{Name: filepath.Join(w.root, "folder", tt.file), Op: op}

				require.NoError(t, w.handle(event))
				require.Equal(t, tt.wantChange, w.changed)
			})
		}
	}
}
