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
	// quietPeriod is how long a tree must stay unchanged before a sync, because programs usually write several files
	// in a row.
	quietPeriod = time.Second
	// maxDelay is the longest wait before a sync if the tree never stops changing.
	maxDelay = 10 * time.Second
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

// newWatch begins to watch the source of a sync with --watch. It refuses flags that --watch does not support.
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

// begin watches all folders of the tree with a new watcher, and closes the one from before.
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

// add watches a folder of the tree and all folders below it that the filter selects.
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

// walkError returns what a callback of WalkDir returns for the error of a folder, which is nil for nil. A folder below
// the root that was removed, or that this user may not read, is skipped, because the sync reports it.
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

// key converts a path in the tree to a key with slashes, which is "" for the tree itself.
func (w *watch) key(name string) string {
	relative, err := filepath.Rel(w.root, name)
	if err != nil || relative == "." {
		return ""
	}
	return filepath.ToSlash(relative)
}

// watchError converts the error of watching a folder to a storage.Error. It returns nil for nil.
func watchError(name string, err error) error {
	if err == nil {
		return nil
	}
	storageErr := &storage.Error{Code: storage.Internal, Op: "Watch", Key: name, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		storageErr.Code = storage.ObjectNotFound
	case errors.Is(err, fs.ErrPermission):
		storageErr.Code = storage.PermissionDenied
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE):
		// inotify has reached one of its limits.
		storageErr.Hint = "raise the system's limit of watches (on Linux fs.inotify.max_user_watches), or use --exclude"
	}
	return storageErr
}

// next waits until a sync is due, and returns the folder that contains all changes since the last one.
func (w *watch) next(ctx context.Context) (string, error) {
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-w.whenDue():
			w.changed = false
			if w.mayHaveMoved {
				// Watch the whole tree again, and sync all of it.
				return "", w.begin()
			}
			return w.scope, nil
		case event := <-w.watcher.Events:
			if err := w.handle(event); err != nil {
				return "", err
			}
		case err := <-w.watcher.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return "", watchError(w.root, err)
			}
			// Events were lost, perhaps that of a renamed folder.
			w.mayHaveMoved = true
			w.recordChange("")
		}
	}
}

// whenDue returns a channel that receives when the next sync is due. If nothing has changed, the channel is nil, and
// never receives.
func (w *watch) whenDue() <-chan time.Time {
	if !w.changed {
		return nil
	}

	start := w.due
	// After a failure, the next sync waits until w.earliest.
	if start.Before(w.earliest) {
		start = w.earliest
	}
	return time.After(time.Until(start))
}

// handle records the folder in which an event of the watcher happened, and watches a new folder.
func (w *watch) handle(event fsnotify.Event) error {
	if event.Op == fsnotify.Chmod {
		// Permissions are not synced.
		return nil
	}
	if evidence.IsKey(filepath.Base(event.Name)) {
		// A sync with --delete makes this file for a check, so it must not cause another sync.
		return nil
	}

	// Keep the set of watched folders up to date. Rename is an event of the old name.
	isRemoval := event.Has(fsnotify.Remove | fsnotify.Rename)
	switch {
	case isRemoval && event.Name == w.root:
		return watchError(w.root, fs.ErrNotExist)
	case isRemoval && w.folders[event.Name]:
		// A renamed folder may still be in the tree, under a new name.
		if event.Has(fsnotify.Rename) {
			w.mayHaveMoved = true
		}
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
	w.recordChange(folder)
	return nil
}

// recordChange records a change in a folder, and schedules the next sync. The sync waits until nothing has changed for
// quietPeriod, but at most maxDelay after the first change.
func (w *watch) recordChange(folder string) {
	now := time.Now()
	if !w.changed {
		w.changed = true
		w.scope = folder
		w.latest = now.Add(maxDelay)
	}

	w.scope = commonFolder(w.scope, folder)
	w.due = now.Add(quietPeriod)
	if w.due.After(w.latest) {
		w.due = w.latest
	}
}

// commonFolder returns the deepest folder that contains a and b. Folders end in a slash, and "" is the whole tree.
func commonFolder(a, b string) string {
	common := a
	for !strings.HasPrefix(b, common) {
		parentEnd := strings.LastIndex(strings.TrimSuffix(common, "/"), "/") + 1
		common = common[:parentEnd]
	}
	return common
}

// run syncs the tree, and then each folder that changes, until ctx is done. It returns the error of a first sync that
// changes nothing. After any other failure, it syncs again, with a longer pause each time.
func (w *watch) run(
	ctx context.Context, p *program.Program, sync func(opts ...transfer.Option) (*transfer.Report, error),
) error {
	defer w.close()

	report, err := sync()
	changedNothing := report == nil || program.IsEmpty(report)
	if err != nil && changedNothing {
		return err
	}

	synced := "" // folder of the last sync, or "" for the whole tree
	pause := firstRetry
	for ctx.Err() == nil {
		if err == nil {
			pause = firstRetry
		} else {
			p.PrintError(err)
			p.Note("omnibucket: the next attempt is in %s", pause)
			// Sync the same folder again after the pause.
			w.earliest = time.Now().Add(pause)
			w.recordChange(synced)
			pause = min(2*pause, lastRetry)
		}
		// Let a reader of the output see the changes of each sync without delay.
		p.Out.Flush()

		// Wait for a change, or for the end of the pause.
		folder, watchErr := w.next(ctx)
		if watchErr != nil {
			return watchErr
		}
		synced, err = syncFolder(folder, sync)
	}
	return cmp.Or(err, ctx.Err())
}

// syncFolder syncs a folder, or the whole tree if the folder is "" or has no files any more. It returns what it has
// synced.
func syncFolder(
	folder string, sync func(opts ...transfer.Option) (*transfer.Report, error),
) (synced string, err error) {
	_, err = sync(transfer.WithPrefix(folder))
	isGone := folder != "" && errors.Is(err, storage.ObjectNotFound)
	if !isGone {
		return folder, err
	}

	// Without a prefix, sync covers the whole tree.
	_, err = sync()
	return "", err
}
