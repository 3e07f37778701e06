package copying

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/transfer"
)

const (
	// quiet is how long a tree must stay unchanged before a sync, because programs usually write
	// several files in a row.
	quiet = time.Second
	// longest is the longest wait before a sync if the tree never stops changing.
	longest = 10 * time.Second
	// firstRetry and lastRetry are the shortest and longest waits after a failed sync.
	firstRetry, lastRetry = 2 * time.Second, 5 * time.Minute
)

// A watch reports which folders of a directory have changed. Like sync, it follows no links.
type watch struct {
	root    string
	filter  *transfer.Filter
	watcher *fsnotify.Watcher
	folders map[string]bool // paths that watcher watches

	changed      bool
	scope        string    // folder that contains all changes: "" or ending in "/"
	due          time.Time // time of the next sync; at most latest
	latest       time.Time
	earliest     time.Time // no sync before this time, after a failed one
	mayHaveMoved bool      // true if watcher may have lost a renamed folder
}

// newWatch checks the flags of --watch, and begins to watch the source.
func newWatch(f *syncFlags, src location.Location, opts []transfer.Option) (*watch, error) {
	if src.Kind != location.LocalPath {
		return nil, argument.Invalid("--watch must have a directory of this machine as its source", location.PathHint)
	}
	if f.links || f.filter.Flags.Changed("shard") || f.filter.Flags.Changed("journal") {
		return nil, argument.Invalid("--watch must not be used with --links, --shard or --journal", "")
	}
	filter, err := transfer.NewFilter(opts...)
	if err != nil {
		return nil, err
	}
	w := &watch{root: filepath.Clean(src.Path), filter: filter}
	if err := w.begin(); err != nil {
		return nil, err
	}
	return w, nil
}

// begin creates a new watcher for all folders of the tree, and closes the old one.
func (w *watch) begin() error {
	w.close()
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return watchError(w.root, err)
	}
	w.watcher = watcher
	w.folders = map[string]bool{}
	w.mayHaveMoved = false
	if err := w.add(w.root); err != nil {
		w.close()
		return err
	}
	return nil
}

func (w *watch) close() {
	if w.watcher != nil {
		_ = w.watcher.Close()
	}
}

// add watches a folder of the tree and the folders in it. It skips a folder that was removed in the
// meantime, because the watcher of the parent folder reports the removal.
func (w *watch) add(folder string) error {
	return filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return w.walkError(name, err)
		}
		// The root is watched even if it is a link.
		if name != w.root && !entry.IsDir() {
			return nil
		}
		if name != w.root && !w.selects(name) {
			return fs.SkipDir
		}
		w.folders[name] = true
		return w.walkError(name, w.watcher.Add(name))
	})
}

// walkError returns the error of one folder for WalkDir, and nil for nil. It makes WalkDir skip
// a folder below the root that was removed or must not be read, which the sync reports.
func (w *watch) walkError(name string, err error) error {
	isSkipped := errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
	if isSkipped && name != w.root {
		return fs.SkipDir
	}
	return watchError(name, err)
}

// selects reports whether the sync may include files in a folder.
func (w *watch) selects(folder string) bool {
	return w.filter.Selects(storage.ListEntry{Key: w.key(folder) + "/", IsPrefix: true})
}

// key returns the key of a path in the tree, or "" for the tree itself.
func (w *watch) key(name string) string {
	relative, err := filepath.Rel(w.root, name)
	if err != nil || relative == "." {
		return ""
	}
	return filepath.ToSlash(relative)
}

// watchError returns the error for a folder that cannot be watched, or nil if err is nil.
func watchError(name string, err error) error {
	if err == nil {
		return nil
	}
	e := &storage.Error{Code: storage.Internal, Op: "Watch", Key: name, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Code = storage.ObjectNotFound
	case errors.Is(err, fs.ErrPermission):
		e.Code = storage.PermissionDenied
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE):
		// These are the errors of the limits of inotify.
		e.Hint = "raise the system's limit of watches (on Linux fs.inotify.max_user_watches), or use --exclude"
	}
	return e
}

// next waits until a sync is due, and returns the folder that contains all changes.
func (w *watch) next(ctx context.Context) (string, error) {
	for {
		var due <-chan time.Time // nil, which never receives, if nothing has changed
		if w.changed {
			start := w.due
			if start.Before(w.earliest) {
				start = w.earliest
			}
			due = time.After(time.Until(start))
		}

		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-due:
			w.changed = false
			if w.mayHaveMoved {
				// Watch the whole tree again, and sync all of it.
				return "", w.begin()
			}
			return w.scope, nil
		case event := <-w.watcher.Events:
			if err := w.take(event); err != nil {
				return "", err
			}
		case err := <-w.watcher.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return "", watchError(w.root, err)
			}
			// Events were lost, perhaps the event of a renamed folder.
			w.mayHaveMoved = true
			w.note("")
		}
	}
}

// take handles an event of the watcher: it notes the changed folder and watches new folders.
func (w *watch) take(event fsnotify.Event) error {
	isRemoval := event.Has(fsnotify.Remove | fsnotify.Rename)

	switch {
	case event.Op == fsnotify.Chmod:
		// Permissions are not synced.
		return nil
	case evidence.IsKey(filepath.Base(event.Name)):
		// This program made the file for a check. Each sync with --delete makes such a file. The
		// file must not cause another sync.
		return nil
	case event.Name == w.root && isRemoval:
		return watchError(w.root, fs.ErrNotExist)
	case isRemoval && w.folders[event.Name]:
		w.mayHaveMoved = w.mayHaveMoved || event.Has(fsnotify.Rename)
		delete(w.folders, event.Name)
	case event.Has(fsnotify.Create):
		if info, err := os.Lstat(event.Name); err == nil && info.IsDir() {
			if err := w.add(event.Name); err != nil {
				return err
			}
		}
	}

	folder := w.key(filepath.Dir(event.Name))
	if folder != "" {
		folder += "/"
	}
	w.note(folder)
	return nil
}

// note records a change in a folder, and schedules the next sync.
func (w *watch) note(folder string) {
	now := time.Now()
	if !w.changed {
		w.changed = true
		w.scope = folder
		w.latest = now.Add(longest)
	}
	w.scope = commonFolder(w.scope, folder)
	w.due = now.Add(quiet)
	if w.due.After(w.latest) {
		w.due = w.latest
	}
}

// commonFolder returns the deepest folder that contains both folders. A folder ends in a slash, and "" is the whole tree.
func commonFolder(a, b string) string {
	common := a
	for !strings.HasPrefix(b, common) {
		parentEnd := strings.LastIndex(strings.TrimSuffix(common, "/"), "/") + 1
		common = common[:parentEnd]
	}
	return common
}

// run syncs the tree, and then each folder that changes, until ctx is done. If the first sync fails
// before it changes anything, run returns the error. After any other failure, run waits, longer
// after each failure, and syncs the same folder again.
func (w *watch) run(
	ctx context.Context, p *program.Program, sync func(opts ...transfer.Option) (*transfer.Report, error),
) error {
	defer w.close()

	report, err := sync()
	if err != nil && (report == nil || program.IsEmpty(report)) {
		return err
	}

	folder := "" // of the last sync, whose error is err
	retry := firstRetry
	for {
		if ctx.Err() != nil {
			return cmp.Or(err, ctx.Err())
		}
		if err != nil {
			p.PrintError(err)
			p.Note("omnibucket: the next attempt is in %s", retry)
			w.earliest = time.Now().Add(retry)
			w.note(folder)
			retry = min(2*retry, lastRetry)
		} else {
			retry = firstRetry
		}

		// A reader of the output sees the changes of each sync without delay.
		p.Out.Flush()
		folder, err = w.next(ctx)
		if err != nil {
			return err
		}
		_, err = sync(transfer.WithPrefix(folder))
		if folder != "" && errors.Is(err, storage.ObjectNotFound) {
			// A sync of a folder without files fails, so the whole tree is synced instead. That
			// sync succeeds if other folders have files.
			folder = ""
			_, err = sync()
		}
	}
}
