package copying

import (
	"path/filepath"
	"testing"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/evidence"
)

// A sync with --delete may store a small file in the source to find out whether both directories are one. The
// watcher must not start another sync for it.
func TestWatchIgnoresQuestions(t *testing.T) {
	for name, isChange := range map[string]bool{evidence.NewKey(""): false, "file": true} {
		for _, op := range []fsnotify.Op{fsnotify.Create, fsnotify.Write, fsnotify.Remove} {
			w := &watch{root: t.TempDir(), folders: map[string]bool{}}
			require.NoError(t, w.take(fsnotify.Event{Name: filepath.Join(w.root, "folder", name), Op: op}))
			require.Equal(t, isChange, w.changed, "%s of %s", op, name)
		}
	}
}
