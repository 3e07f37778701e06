package storage_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
)

// functions has the exported functions of the root, except those that return an option.
// TestFunctionsHasEveryFunction compares it with the source.
var functions = map[string]any{
	"AbandonUpload":        storage.AbandonUpload,
	"AbortUpload":          storage.AbortUpload,
	"Append":               storage.Append,
	"As":                   storage.As[any],
	"AsError":              storage.AsError,
	"AttrsAs":              storage.AttrsAs[any],
	"BeginUpload":          storage.BeginUpload,
	"CheckAddress":         storage.CheckAddress,
	"Close":                storage.Close,
	"CodeOf":               storage.CodeOf,
	"Compose":              storage.Compose,
	"ContinueListedUpload": storage.ContinueListedUpload,
	"ContinueUpload":       storage.ContinueUpload,
	"Copy":                 storage.Copy,
	"DecodeMetadataValue":  storage.DecodeMetadataValue,
	"DownloadFile":         storage.DownloadFile,
	"EncodeMetadataValue":  storage.EncodeMetadataValue,
	"FS":                   storage.FS,
	"IsTemporary":          storage.IsTemporary,
	"ListPage":             storage.ListPage,
	"ListUploads":          storage.ListUploads,
	"Move":                 storage.Move,
	"NewBucket":            storage.NewBucket,
	"NewCopySource":        storage.NewCopySource,
	"NewReader":            storage.NewReader,
	"NewReaderAt":          storage.NewReaderAt,
	"NewWriter":            storage.NewWriter,
	"Open":                 storage.Open,
	"OpenService":          storage.OpenService,
	"Prefixed":             storage.Prefixed,
	"PutSignedPart":        storage.PutSignedPart,
	"ReadAll":              storage.ReadAll,
	"ReadRanges":           storage.ReadRanges,
	"Ref":                  storage.Ref[storage.Bucket],
	"Register":             storage.Register,
	"RemoveAll":            storage.RemoveAll,
	"RemoveMatching":       storage.RemoveMatching,
	"RemoveVersions":       storage.RemoveVersions,
	"Require":              storage.Require,
	"Restore":              storage.Restore,
	"SetLegalHold":         storage.SetLegalHold,
	"SetRetention":         storage.SetRetention,
	"SetTags":              storage.SetTags,
	"SignedRemoveURL":      storage.SignedRemoveURL,
	"SignedUploadForm":     storage.SignedUploadForm,
	"StreamCopy":           storage.StreamCopy,
	"Supports":             storage.Supports,
	"Tags":                 storage.Tags,
	"Update":               storage.Update,
	"UploadFile":           storage.UploadFile,
	"Vend":                 storage.Vend,
	"Versions":             storage.Versions,
	"Wrap":                 storage.Wrap,
}

// declarations returns the declarations of functions and methods with exported names in a folder,
// without those of tests.
func declarations(t *testing.T, dir string) []*ast.FuncDecl {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	var decls []*ast.FuncDecl
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.IsExported() {
				decls = append(decls, f)
			}
		}
	}
	return decls
}

// The map named functions contains each exported function of this package that does not return an option.
func TestFunctionsHasEveryFunction(t *testing.T) {
	for _, decl := range declarations(t, ".") {
		name := decl.Name.Name
		isMethod := decl.Recv != nil
		isOption := strings.HasPrefix(name, "With") || strings.HasPrefix(name, "If")
		if !isMethod && !isOption {
			require.Contains(t, functions, name)
		}
	}
}

// No function or method returns any, because the value could give access to more than the bucket permits.
func TestMethodsReturnNoAny(t *testing.T) {
	allowed := map[string]bool{
		"Native": true, // only As calls it, and only for a whole bucket
		"Sys":    true, // of fs.FileInfo; TestRefReachesNothingOutside calls it
	}
	for _, dir := range []string{".", "engine"} {
		for _, decl := range declarations(t, dir) {
			if decl.Type.Results == nil || allowed[decl.Name.Name] {
				continue
			}
			for _, result := range decl.Type.Results.List {
				typeName, ok := result.Type.(*ast.Ident)
				returnsAny := ok && typeName.Name == "any"
				require.False(t, returnsAny, "%s in %s returns any", decl.Name.Name, dir)
			}
		}
	}
}

// A reachWalk visits everything that can be reached from a narrowed bucket: the results of functions and exported
// methods, exported fields, elements, and what callbacks receive.
type reachWalk struct {
	t      *testing.T
	narrow storage.Bucket
	seen   map[reflect.Type]bool
	path   []string // the names of the steps to the value that is visited
}

// outside is a key outside of the narrowed part. Its object has the text "secret".
const outside = "outside"

// visit checks v and everything that can be reached from it. It visits one value of each type.
func (walk *reachWalk) visit(v reflect.Value) {
	for v.IsValid() && v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() || !v.CanInterface() {
		return
	}

	walk.check(v.Interface())
	if walk.seen[v.Type()] {
		return
	}
	walk.seen[v.Type()] = true
	walk.methods(v)
	switch v.Kind() {
	case reflect.Pointer:
		walk.visit(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				walk.step(v.Type().Field(i).Name, func() {
					walk.visit(v.Field(i))
				})
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range min(v.Len(), 2) {
			walk.visit(v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			walk.visit(v.MapIndex(key))
		}
	case reflect.Func:
		walk.call("()", v)
	}
}

// check fails the test if v gives access to more than the part of the bucket to which it was narrowed.
func (walk *reachWalk) check(v any) {
	path := strings.Join(walk.path, ".")
	_, isCore := v.(storage.Core)
	require.False(walk.t, isCore, "%s is a Core", path)

	_, isDriver := v.(driver.Driver)
	require.False(walk.t, isDriver, "%s is a Driver", path)

	bucket, ok := v.(storage.Downloader)
	if !ok {
		return
	}
	text, _, err := storage.ReadAll(walk.t.Context(), bucket, outside)
	require.Error(walk.t, err, path)
	require.Empty(walk.t, text, path)
}

// methods calls each exported method of v.
func (walk *reachWalk) methods(v reflect.Value) {
	if v.CanAddr() && v.Kind() == reflect.Struct {
		v = v.Addr()
	}
	for i := range v.NumMethod() {
		walk.call(v.Type().Method(i).Name, v.Method(i))
	}
}

// step calls f with name as the last step of the path.
func (walk *reachWalk) step(name string, f func()) {
	walk.path = append(walk.path, name)
	defer func() {
		walk.path = walk.path[:len(walk.path)-1]
	}()
	f()
}

// call calls f with arguments of the right types, and visits the results. f may panic, because the
// arguments may make no sense.
func (walk *reachWalk) call(name string, f reflect.Value) {
	walk.step(name, func() {
		defer func() {
			_ = recover()
		}()
		if f.IsNil() {
			return
		}
		var args []reflect.Value
		for i := range f.Type().NumIn() {
			if !f.Type().IsVariadic() || i < f.Type().NumIn()-1 {
				args = append(args, walk.argument(f.Type().In(i)))
			}
		}
		for _, result := range f.Call(args) {
			walk.visit(result)
		}
	})
}

// argument returns a value for a parameter: a fixed one, a callback, options, or zero.
func (walk *reachWalk) argument(typ reflect.Type) reflect.Value {
	values := []any{
		walk.t.Context(), "a", int64(1), 1, []byte("text"), strings.NewReader("text"), io.Discard,
		storage.Rights{Read: true}, walk.narrow,
	}
	for _, value := range values {
		if reflect.TypeOf(value).AssignableTo(typ) {
			return reflect.ValueOf(value)
		}
	}
	switch typ.Kind() {
	case reflect.Func:
		return walk.callback(typ)
	case reflect.Pointer:
		options := reflect.New(typ.Elem())
		if apply := options.MethodByName("Apply"); apply.IsValid() && apply.Type().IsVariadic() {
			apply.Call(nil)
		}
		return options
	}
	return reflect.Zero(typ)
}

// callback returns a function that visits its arguments. A callback that returns a bool returns
// true, so that an iterator continues.
func (walk *reachWalk) callback(typ reflect.Type) reflect.Value {
	return reflect.MakeFunc(typ, func(args []reflect.Value) []reflect.Value {
		for _, arg := range args {
			walk.visit(arg)
		}
		var results []reflect.Value
		for i := range typ.NumOut() {
			result := reflect.New(typ.Out(i)).Elem()
			if result.Kind() == reflect.Bool {
				result.SetBool(true)
			}
			results = append(results, result)
		}
		return results
	})
}

// An exposing Core visits the source of each copy.
type exposing struct {
	storage.Core
	walk *reachWalk
}

func (e *exposing) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, o *storage.CopyOptions,
) (*storage.Attrs, error) {
	e.walk.visit(reflect.ValueOf(src))
	return e.Core.CopyFrom(ctx, key, src, o)
}

// A replaced Core hides the type of the engine's Core.
type replaced struct{ storage.Core }

func (r *replaced) Source(key string) storage.CopySource { return storage.NewCopySource(r, key) }

// narrowedBuckets has the ways to narrow a bucket, each on a store of its own.
var narrowedBuckets = map[string]func(t *testing.T) storage.Bucket{
	"a view in memory": newMemoryView,
	"a reference to a view": func(t *testing.T) storage.Bucket {
		return storage.Ref[storage.Downloader](newMemoryView(t)).(storage.Bucket)
	},
	"a reference that removes": func(t *testing.T) storage.Bucket {
		return storage.Ref[storage.Remover](newFilledBucket(t, memstore.New())).(storage.Bucket)
	},
	"an address with a prefix": func(t *testing.T) storage.Bucket {
		dir := filepath.ToSlash(t.TempDir())
		b, err := storage.Open(t.Context(), "file://"+dir)
		require.NoError(t, err)
		newFilledBucket(t, b)
		view, err := storage.Open(t.Context(), "file://"+dir+"?prefix=p/")
		require.NoError(t, err)
		return view
	},
	"a view of a directory": func(t *testing.T) storage.Bucket {
		b, err := local.Open(t.TempDir(), local.Config{})
		require.NoError(t, err)
		return storage.Prefixed(newFilledBucket(t, b), "p/")
	},
	"a view of a user's Core": func(t *testing.T) storage.Bucket {
		b, err := storage.Wrap(newFilledBucket(t, memstore.New()), func(c storage.Core) storage.Core {
			return &replaced{c}
		})
		require.NoError(t, err)
		return storage.Prefixed(b, "p/")
	},
}

// newMemoryView returns a view of a filled bucket in memory.
func newMemoryView(t *testing.T) storage.Bucket {
	t.Helper()
	return storage.Prefixed(newFilledBucket(t, memstore.New()), "p/")
}

// newFilledBucket stores an object in "p/" and one outside of it, and returns b.
func newFilledBucket(t *testing.T, b storage.Bucket) storage.Bucket {
	t.Helper()
	for key, text := range map[string]string{"p/a": "text", outside: "secret"} {
		_, err := b.Upload(t.Context(), key, strings.NewReader(text))
		require.NoError(t, err)
	}
	return b
}

// No value that a program gets from a narrowed bucket gives access to the rest of the bucket.
func TestRefReachesNothingOutside(t *testing.T) {
	t.Chdir(t.TempDir())

	// The program can call each exported function that takes a bucket, and the methods of the bucket itself.
	called := maps.Clone(functions)
	called["Places"] = driver.Places
	called["Overlap"] = driver.Overlap
	called["methods"] = func(b storage.Bucket) any { return b }

	for narrowing, open := range narrowedBuckets {
		for name, function := range called {
			narrow := open(t)
			value := reflect.ValueOf(function)

			// The walk visits everything that the results of the function give access to. It fails the test if that
			// includes the object outside.
			if acceptsValue(value.Type(), reflect.TypeOf(narrow)) {
				newReachWalk(t, narrow, narrowing).call(name, value)
			}
		}
	}
}

// The source of a copy from a narrowed bucket gives no access to the rest of the bucket.
func TestCopySourceReachesNothingOutside(t *testing.T) {
	t.Chdir(t.TempDir())
	for narrowing, open := range narrowedBuckets {
		walk := newReachWalk(t, open(t), narrowing, "CopySource")
		dst, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core {
			return &exposing{c, walk}
		})
		require.NoError(t, err)

		// The copy fails if the narrowed bucket does not permit reading.
		_, _ = storage.Copy(t.Context(), dst, "x", walk.narrow, "a")
	}
}

func newReachWalk(t *testing.T, narrow storage.Bucket, path ...string) *reachWalk {
	return &reachWalk{t: t, narrow: narrow, seen: map[reflect.Type]bool{}, path: path}
}

// acceptsValue reports whether a function has a parameter of an interface type that typ implements.
func acceptsValue(function, typ reflect.Type) bool {
	for i := range function.NumIn() {
		param := function.In(i)
		if param.Kind() == reflect.Interface && typ.Implements(param) {
			return true
		}
	}
	return false
}
