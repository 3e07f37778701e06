package distribution

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	registry "github.com/distribution/distribution/v3/registry/storage/driver"

	"github.com/omnibucket/storage"
)

// fileInfo describes a file.
func fileInfo(path string, size int64, modified time.Time) registry.FileInfo {
	return registry.FileInfoInternal{
		FileInfoFields: registry.FileInfoFields{Path: path, Size: size, ModTime: modified},
	}
}

// folderInfo describes a folder, which has no size and no time.
func folderInfo(path string) registry.FileInfo {
	return registry.FileInfoInternal{
		FileInfoFields: registry.FileInfoFields{Path: path, IsDir: true},
	}
}

// Stat describes a file or, if there is none, the folder with this path.
func (d *driver) Stat(ctx context.Context, path string) (registry.FileInfo, error) {
	if path == "/" {
		return folderInfo(path), nil
	}
	attrs, err := d.bucket.Attrs(ctx, keyOf(path))
	if err == nil {
		return fileInfo(path, attrs.Size, attrs.Modified), nil
	}
	if storage.CodeOf(err) != storage.ObjectNotFound {
		return nil, err
	}

	// The first key below the folder shows that it exists, so the loop never repeats.
	for _, listErr := range d.bucket.List(ctx, storage.WithPrefix(folderPrefix(path)), storage.WithLimit(1)) {
		if listErr != nil {
			return nil, listErr
		}
		return folderInfo(path), nil
	}
	return nil, registry.PathNotFoundError{Path: path}
}

// List returns the paths of the files and folders directly in a folder.
func (d *driver) List(ctx context.Context, path string) ([]string, error) {
	children, err := d.children(ctx, path)
	if err != nil {
		return nil, err
	}

	paths := make([]string, len(children))
	for i, child := range children {
		paths[i] = child.Path()
	}
	return paths, nil
}

// children returns the files and folders directly in a folder, sorted by path. It leaves out keys with
// "//" and the folder's marker, an empty object "folder/" of another tool: they would have the path of
// the folder itself, and a walk would never end.
func (d *driver) children(ctx context.Context, path string) ([]registry.FileInfo, error) {
	var children []registry.FileInfo
	exists := path == "/"
	prefix := folderPrefix(path)
	for entry, err := range d.bucket.List(ctx, storage.WithPrefix(prefix), storage.WithDelimiter("/")) {
		if err != nil {
			return nil, err
		}
		// A folder exists even if it has only a marker.
		exists = true

		name := strings.TrimPrefix(entry.Key, prefix)
		if name == "" || name == "/" {
			continue
		}
		if folder, isFolder := strings.CutSuffix(entry.Key, "/"); isFolder {
			children = append(children, folderInfo(pathOf(folder)))
			continue
		}
		// The state of an unfinished upload is not a file.
		if strings.HasSuffix(entry.Key, stateSuffix) {
			continue
		}
		children = append(children, fileInfo(pathOf(entry.Key), entry.Size, entry.Modified))
	}

	if !exists {
		return nil, registry.PathNotFoundError{Path: path}
	}

	slices.SortFunc(children, func(a, b registry.FileInfo) int { return strings.Compare(a.Path(), b.Path()) })
	return children, nil
}

// Walk calls f for everything below a folder, for a folder before its content. If the options have a
// StartAfterHint, it begins after that path.
func (d *driver) Walk(
	ctx context.Context, path string, f registry.WalkFn, options ...func(*registry.WalkOptions),
) error {
	var o registry.WalkOptions
	for _, option := range options {
		option(&o)
	}

	children, err := d.children(ctx, path)
	if err != nil {
		return err
	}
	err = d.walk(ctx, children, sortText(o.StartAfterHint), f)
	// With this error, f says that it has as many paths as it wants.
	hasEnough := errors.Is(err, registry.ErrFilledBuffer)
	if hasEnough {
		return nil
	}
	return err
}

// nameEnd stands in place of each slash in a sortText. It sorts before all characters of names.
const nameEnd = "\x00"

// sortText converts a path to a text that can be compared: the texts sort in the order in which Walk
// visits the paths.
func sortText(path string) string { return strings.ReplaceAll(path, "/", nameEnd) }

// contains reports whether a path is a folder or below it. Both arguments have the form of sortText.
func contains(folder, path string) bool {
	// With an end after both names, "a" does not contain "ab".
	return strings.HasPrefix(path+nameEnd, folder+nameEnd)
}

// walk calls f for children and for everything below them, in the order of Walk. It leaves out the path whose
// sortText is startAfter and all paths before it.
func (d *driver) walk(ctx context.Context, children []registry.FileInfo, startAfter string, f registry.WalkFn) error {
	for _, child := range children {
		text := sortText(child.Path())
		containsStart := contains(text, startAfter)
		if text < startAfter && !containsStart {
			continue
		}

		// An earlier walk has visited the folders that contain startAfter, but not everything below them.
		if !containsStart {
			err := f(child)
			if errors.Is(err, registry.ErrSkipDir) {
				continue
			}
			if err != nil {
				return err
			}
		}
		if !child.IsDir() {
			continue
		}

		grandchildren, err := d.children(ctx, child.Path())
		if _, ok := errors.AsType[registry.PathNotFoundError](err); ok {
			// The folder was removed meanwhile.
			continue
		}
		if err != nil {
			return err
		}
		if err := d.walk(ctx, grandchildren, startAfter, f); err != nil {
			return err
		}
	}
	return nil
}
