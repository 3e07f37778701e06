package storage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage/internal/equal"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/internal/unexported"
)

func init() {
	serving.Below, serving.Beside = below, beside
	serving.Reach = func(b any) serving.Bucket {
		if own, ok := reach(b); ok {
			return own
		}
		return nil
	}
	serving.Identity = func(b any) (string, bool) {
		own, ok := reach(b)
		if !ok {
			return "", false
		}
		identity := own.Core().Identity() + " " + own.Scope().Prefix
		if _, bare := b.(engineBucket); !bare {
			identity = fmt.Sprintf("%T %s", b, identity)
		}
		return identity, true
	}
	serving.CopyInside = func(dst, src any) bool {
		to, _ := reached(dst)
		from, _ := reached(src)
		_, _, same := inOneAccount(to, from)
		return same && Supports(dst, ServerCopy)
	}
	serving.RemoveUnchanged = func(ctx context.Context, b any, key string, source any) error {
		return removeUnchanged(ctx, b.(ReadWriter), key, source.(*Attrs), nil)
	}
	serving.MoveInOneStep = func(ctx context.Context, dst any, to string, src any, from string, opts any) (any, bool, error) {
		into, ok := reach(dst)
		source, both := reach(src)
		if !ok || !both {
			return nil, false, nil
		}
		return into.MoveInOneStep(ctx, to, source, from, opts.([]CopyOption)...)
	}
}

// beside reports whether a and b are known to be folders of one bucket, neither in the other.
func beside(a, b any) bool {
	from, under := reached(a)
	to, over := reached(b)
	return sameBucket(from, to) && !strings.HasPrefix(under, over) && !strings.HasPrefix(over, under)
}

// below reports whether what inner reaches is known to lie in what outer reaches, and
// under which prefix there.
func below(inner, outer any) (prefix string, ok bool) {
	from, under := reached(inner)
	to, over := reached(outer)
	one := sameBucket(from, to)
	if one {
		if rest, ok := strings.CutPrefix(under, over); ok {
			return rest, true
		}
	}
	dir, outerDir := directoryOf(from, under), directoryOf(to, over)
	if dir == "" || outerDir == "" {
		return "", false
	}
	// In one bucket two prefixes that differ in case are not the same, even if the
	// file system folds case.
	rel, ok := relative(dir, outerDir, !one)
	if rel != "" {
		rel = filepath.ToSlash(rel) + "/"
	}
	return rel, ok
}

// reached returns what b stands for, a core, a user's own type or a directory, and the
// prefix of b in it. It returns nil if b is none of these.
func reached(b any) (whole any, prefix string) {
	if own, ok := reach(b); ok {
		return own.Core(), own.Scope().Prefix
	}
	switch b := b.(type) {
	case *view:
		return b.to, b.scope.Prefix
	case serving.Directory, Uploader, Downloader, Lister, AttrsReader, Remover, SignedUploader, SignedDownloader, PublicLinker:
		return b, ""
	}
	return nil, ""
}

func sameBucket(a, b any) bool {
	if equal.Values(a, b) {
		return true
	}
	from, to, same := inOneAccount(a, b)
	return same && from == to
}

// inOneAccount reports whether a and b are known to be buckets of one account, and their names there.
func inOneAccount(a, b any) (from, to string, same bool) {
	first, own := a.(unexported.Core)
	second, also := b.(unexported.Core)
	if !own || !also {
		return "", "", false
	}
	account, from, _ := first.Stored()
	other, to, _ := second.Stored()
	return from, to, equal.Values(account, other)
}

// directoryOf returns the directory of this machine that holds the keys under prefix;
// "" if there is none.
func directoryOf(whole any, prefix string) string {
	dir := ""
	switch whole := whole.(type) {
	case serving.Directory:
		dir = string(whole)
	case unexported.Core:
		_, _, dir = whole.Stored()
	}
	if dir == "" || prefix == "" {
		return dir
	}
	return filepath.Join(dir, filepath.FromSlash(prefix))
}

// relative reports whether dir is outer or lies in it, and the path from outer to dir,
// "" if they are the same. With files it also compares the directories themselves:
// a file system that folds case, or that is mounted twice, has several paths to one.
func relative(dir, outer string, files bool) (rel string, ok bool) {
	dir, outer = resolved(dir), resolved(outer)
	if rel, ok := pathFrom(outer, dir); ok || !files {
		return rel, ok
	}
	want, err := os.Stat(outer)
	if err != nil {
		return "", false
	}
	for at := dir; ; at = filepath.Dir(at) {
		if info, err := os.Stat(at); err == nil && os.SameFile(info, want) {
			return pathFrom(at, dir)
		}
		if at == filepath.Dir(at) {
			return "", false
		}
	}
}

// pathFrom returns the path from outer to dir if dir is outer, or lies in it.
func pathFrom(outer, dir string) (rel string, ok bool) {
	rel, err := filepath.Rel(outer, dir)
	switch {
	case err != nil, rel == "..", strings.HasPrefix(rel, ".."+string(filepath.Separator)):
		return "", false
	case rel == ".":
		return "", true
	}
	return rel, true
}

// resolved returns path as an absolute path without symbolic links, as far as it
// exists. It resolves a link before the ".." after it, as the operating system does.
func resolved(path string) string {
	if !filepath.IsAbs(path) {
		if wd, err := os.Getwd(); err == nil {
			path = wd + string(filepath.Separator) + path
		}
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	end := len(path)
	for end > 0 && os.IsPathSeparator(path[end-1]) {
		end--
	}
	start := end
	for start > 0 && !os.IsPathSeparator(path[start-1]) {
		start--
	}
	if start == end || start <= len(filepath.VolumeName(path)) {
		return filepath.Clean(path)
	}
	return filepath.Join(resolved(path[:start]), path[start:end])
}
