package copying

import (
	"path/filepath"
	"testing"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/evidence"
)

// A question is no change. A sync with --delete may store a file in the source, to find out whether both ends are
// one place. It must not be the reason for the next sync.
func TestWatchIgnoresQuestions(t *testing.T) {
	for name, changed := range map[string]bool{evidence.NewKey(""): false, "file": true} {
		for _, op := range []fsnotify.Op{fsnotify.Create, fsnotify.Write, fsnotify.Remove} {
			w := &watch{root: t.TempDir(), folders: map[string]bool{}}
			require.NoError(t, w.take(fsnotify.Event{Name: filepath.Join(w.root, "folder", name), Op: op}))
			require.Equal(t, changed, w.changed, "%s of %s", op, name)
		}
	}
}
