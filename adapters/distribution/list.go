package distribution

import (
	"context"
	"errors"
	"slices"
	"strings"

	registry "github.com/distribution/distribution/v3/registry/storage/driver"

	"github.com/omnibucket/storage"
)

func fileInfo(path string, size int64, a *storage.Attrs) registry.FileInfo {
	info := registry.FileInfoFields{Path: path, Size: size, IsDir: a == nil}
	if a != nil {
		info.ModTime = a.Modified
	}
	return registry.FileInfoInternal{FileInfoFields: info}
}

func (d *driver) Stat(ctx context.Context, path string) (registry.FileInfo, error) {
	if path == "/" {
		return fileInfo(path, 0, nil), nil
	}
	a, err := d.bucket.Attrs(ctx, keyOf(path))
	if err == nil {
		return fileInfo(path, a.Size, a), nil
	}
	if storage.CodeOf(err) != storage.ObjectNotFound {
		return nil, err
	}
	for _, listErr := range d.bucket.List(ctx, storage.WithPrefix(below(path)), storage.WithLimit(1)) {
		if listErr != nil {
			return nil, listErr
		}
		return fileInfo(path, 0, nil), nil
	}
	return nil, told(path, err)
}

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

// children returns the files and folders directly in a folder, sorted by path. It leaves out two
// kinds of keys: keys with "//", and the folder's marker, which is an empty object "folder/" from
// another tool. Both would get the path of the folder itself, and a walk would never end. A folder
// with only a marker exists and is empty.
func (d *driver) children(ctx context.Context, path string) ([]registry.FileInfo, error) {
	var children []registry.FileInfo
	ok := path == "/"
	for entry, err := range d.bucket.List(ctx, storage.WithPrefix(below(path)), storage.WithDelimiter("/")) {
		if err != nil {
			return nil, err
		}
		ok = true
		if strings.TrimSuffix(strings.TrimPrefix(entry.Key, below(path)), "/") == "" {
			continue
		}
		if folder, ok := strings.CutSuffix(entry.Key, "/"); ok {
			children = append(children, fileInfo(pathOf(folder), 0, nil))
		} else if !strings.HasSuffix(entry.Key, stateSuffix) {
			children = append(children, fileInfo(pathOf(entry.Key), entry.Size, &storage.Attrs{Modified: entry.Modified}))
		}
	}
	if !ok {
		return nil, registry.PathNotFoundError{Path: path}
	}
	slices.SortFunc(children, func(a, b registry.FileInfo) int { return strings.Compare(a.Path(), b.Path()) })
	return children, nil
}

// Walk calls f for everything below a folder. After a folder, it visits the content of that folder
// before the next name. If the options have a StartAfterHint, Walk begins after that path.
func (d *driver) Walk(
	ctx context.Context, path string, f registry.WalkFn, options ...func(*registry.WalkOptions),
) error {
	var o registry.WalkOptions
	for _, option := range options {
		option(&o)
	}
	children, err := d.children(ctx, path)
	if err == nil {
		err = d.walk(ctx, children, ordered(o.StartAfterHint), f)
	}
	if errors.Is(err, registry.ErrFilledBuffer) {
		return nil
	}
	return err
}

// ordered converts a path to a text that can be compared: the texts sort in the order in which Walk
// visits the paths.
func ordered(path string) string { return strings.ReplaceAll(path, "/", "\x00") }

func (d *driver) walk(ctx context.Context, children []registry.FileInfo, startAfter string, f registry.WalkFn) error {
	for _, child := range children {
		dir := ordered(child.Path())
		// the path after which Walk begins is this child or is below it
		around := strings.HasPrefix(startAfter+"\x00", dir+"\x00")
		if dir <= startAfter && !around {
			continue
		}
		if !around {
			if err := f(child); errors.Is(err, registry.ErrSkipDir) {
				continue
			} else if err != nil {
				return err
			}
		}
		if !child.IsDir() {
			continue
		}
		below, err := d.children(ctx, child.Path())
		if _, ok := errors.AsType[registry.PathNotFoundError](err); ok {
			continue
		} else if err == nil {
			err = d.walk(ctx, below, startAfter, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
